/**
 * A linear layer with GELU in one kernel: gradients against the float64 reference, and what it saves.
 *
 * @module
 */
import assert from "node:assert/strict";
import { gelu } from "../../src/autograd/ops/gelu.ts";
import { linear, linearGelu } from "../../src/autograd/ops/linear.ts";
import { Parameter } from "../../src/autograd/parameter.ts";
import { QuantizedWeight } from "../../src/autograd/quantized_weight.ts";
import { Run } from "../../src/autograd/run.ts";
import { packMatrix } from "../../src/formats/quantized_matrix.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { uploadPacked } from "../../src/kernels/quantized.ts";
import { assertClose, numbers } from "../compare.ts";
import { openDevices, poison, upload } from "../kernels/devices.ts";
import { gelu as geluReference, geluBackward } from "../reference/gelu.ts";
import { linear as linearReference, linearBackward } from "../reference/linear.ts";

const [ROWS, INPUTS] = [3 * 29, 13];
const CASES = [
  { kind: "tanh", outputs: 48, transposed: false },
  { kind: "erf", outputs: 36, transposed: true },
] as const;

for (const [name, device] of await openDevices()) {
  const parameter = (name: string, data: Float32Array<ArrayBuffer>, shape: readonly number[]) =>
    new Parameter(name, device.pool.persistent(() => upload(device, data, shape)));

  /** Numbers of a case, and parameters of them. */
  const layer = ({ outputs, transposed }: { outputs: number; transposed: boolean }) => {
    const x = numbers(ROWS * INPUTS, 1);
    const weight = numbers(INPUTS * outputs, 2);
    const bias = numbers(outputs, 3);
    return {
      data: { x, weight, bias },
      parameters: {
        x: parameter("x", x, [3, 29, INPUTS]),
        weight: parameter("weight", weight, transposed ? [outputs, INPUTS] : [INPUTS, outputs]),
        bias: parameter("bias", bias, [outputs]),
      },
    };
  };

  Deno.test(`linear with GELU, ${name}: result and gradients`, async () => {
    for (const { kind, outputs, transposed } of CASES) {
      using _scope = device.scope();
      const label = `${kind}, ${outputs} outputs`;
      const { data, parameters } = layer({ outputs, transposed });
      const size = { rows: ROWS, inputs: INPUTS, outputs, transposed };
      const dOut = numbers(ROWS * outputs, 4);
      poison(device, [ROWS, outputs], [ROWS, outputs]);
      const options = { ...parameters, transposed, kind };
      const run = new Run(device, { record: true });
      const out = linearGelu(run, parameters.x, options);
      assert.deepEqual(out.shape, [3, 29, outputs]);
      const before = linearReference(data.x, data, size);
      const found = await out.read();
      assertClose(found, geluReference(before, kind), { bound: 1e-6, label });
      const unrecorded = linearGelu(new Run(device), parameters.x, options);
      assert.deepEqual(await unrecorded.read(), found, `${label} unrecorded`);
      run.tape!.backward(out, upload(device, dOut, out.shape));
      const dBefore = geluBackward(before, dOut, kind);
      const wanted = linearBackward(data.x, dBefore, { ...size, weight: data.weight });
      const gradients = { x: wanted.dX, weight: wanted.dWeight, bias: wanted.dBias };
      for (const [key, gradient] of Object.entries(gradients)) {
        const own = parameters[key as keyof typeof parameters];
        assertClose(await own.gradient.read(), gradient, {
          bound: 2e-6,
          label: `d ${key}, ${label}`,
        });
      }
    }
  });

  Deno.test(`linear with GELU, ${name}: one dispatch and one tensor less than apart`, () => {
    const cost = (run: Run, work: (run: Run, x: Tensor, layer: Layer) => Tensor) => {
      using _scope = device.scope();
      const { parameters } = layer({ outputs: 48, transposed: false });
      device.pool.resetPeak();
      const [dispatches, { liveBytes }] = [device.commands.dispatches, device.pool.memory];
      work(run, parameters.x, parameters);
      return {
        dispatches: device.commands.dispatches - dispatches,
        bytes: device.pool.memory.peakBytes - liveBytes,
      };
    };
    type Layer = ReturnType<typeof layer>["parameters"];
    const kind = "tanh" as const;
    const fused = (run: Run, x: Tensor, layer: Layer) => linearGelu(run, x, { ...layer, kind });
    const apart = (run: Run, x: Tensor, layer: Layer) => gelu(run, linear(run, x, layer), kind);
    for (const record of [true, false]) {
      const [one, two] = [fused, apart].map((work) => cost(new Run(device, { record }), work));
      assert.equal(one.dispatches, two.dispatches - 1);
      // What GELU is applied to is kept for a backward pass only.
      assert.equal(one.bytes, record ? two.bytes : two.bytes / 2);
    }
  });

  Deno.test(`linear with GELU, ${name}: of a quantized weight in two kernels`, async () => {
    using _scope = device.scope();
    const shape = { inputs: 40, outputs: 12, format: "int8", group: 32 } as const;
    const matrix = uploadPacked(device, packMatrix(numbers(480, 1), shape));
    const weight = new QuantizedWeight("weight", matrix, { shape: [40, 12], transposed: false });
    const [x, bias] = [
      upload(device, numbers(29 * 40, 2), [29, 40]),
      upload(device, numbers(12, 3)),
    ];
    const run = new Run(device);
    const apart = gelu(run, linear(run, x, { weight, bias }), "erf");
    const [found, expected] = await device.read(
      linearGelu(run, x, { weight, bias, kind: "erf" }),
      apart,
    );
    assert.deepEqual(found, expected);
  });
}
