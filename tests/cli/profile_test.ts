/**
 * `vitrail profile` as a user calls it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { folder } from "../data/files.ts";
import { runCli } from "./run_cli.ts";

const SMALL = "--layers 1 --heads 2 --channels 12 --sequence 29 --batch 3 --vocabulary 197";
const words = (text: string): string[] => text.split(" ");

Deno.test("profile step prints a table and writes figures and a trace", async () => {
  using place = folder({});
  const cwd = place.path;
  const files = "--json p.json --trace t.json --steps 2";
  const { code, stdout, stderr } = await runCli(words(`profile step ${SMALL} ${files}`), { cwd });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^a training step of a GPT: 1 layers, C 12/);
  assert.match(stdout, /roof, measured on this adapter: \S+ GB\/s by a copy, \S+ GFLOP\/s/);
  assert.match(stdout, /^kernel +calls +ms +host ms +share +GFLOP\/s/m);
  assert.match(stdout, /^attention\.keys +1 /m);
  const profile = JSON.parse(Deno.readTextFileSync(`${cwd}/p.json`));
  assert.equal(profile.units, 2);
  assert.ok(profile.roof.gflops > 0 && profile.wall > 0 && profile.host > 0);
  const matmul = profile.kernels.find((row: { kernel: string }) => /^matmul/.test(row.kernel));
  assert.ok(matmul.shader.bindings.includes("out (read_write)"));
  const { traceEvents } = JSON.parse(Deno.readTextFileSync(`${cwd}/t.json`));
  assert.ok(traceEvents.length > 100);
});

Deno.test("profile generate and BERT's step", async () => {
  using place = folder({});
  const cwd = place.path;
  const quick = `${SMALL} --no-roof`;
  const written = await runCli(
    words(`profile generate ${quick} --tokens 8 --prompt 4`),
    { cwd },
  );
  assert.equal(written.code, 0, written.stderr);
  assert.match(written.stdout, /^sample\.forward +1 /m);
  const bert = await runCli(words(`profile step --family bert ${quick} --steps 1`), { cwd });
  assert.equal(bert.code, 0, bert.stderr);
  assert.match(bert.stdout, /^a training step of a BERT/);
});

const example = (name: string): string =>
  new URL(`../../docs/examples/${name}.wgsl`, import.meta.url).pathname;
const PRODUCT = "--uniform m=28 --uniform n=36 --uniform k=20 --workgroups 5,4 --flops 2*m*n*k " +
  "--buffer a=28x20 --buffer b=20x36 --buffer out=28x36 --no-roof --runs 3";

Deno.test("a shader of one's own, by both spellings, and its page", async () => {
  using place = folder({});
  const cwd = place.path;
  for (const spelling of ["profile --kernel", "profile kernel"]) {
    const { code, stdout, stderr } = await runCli(
      [
        ...words(spelling),
        example("matmul_naive"),
        ...words(`${PRODUCT} --json k.json --overwrite`),
      ],
      { cwd },
    );
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^matmul_naive\.main over 5×4 workgroups, the median of 3 calls$/m);
    assert.match(stdout, /^matmul_naive\.main +1 .* 8×8 +4 +0 B$/m);
    assert.match(stdout, /^out: 1008 numbers, sum /m);
    const { kernels, outputs } = JSON.parse(Deno.readTextFileSync(`${cwd}/k.json`));
    assert.equal(kernels[0].flops, 2 * 28 * 36 * 20);
    assert.equal(outputs[0].count, 1008);
  }
});

Deno.test("profile kernels writes a page of the chosen ones", async () => {
  using place = folder({});
  const cwd = place.path;
  const { code, stdout, stderr } = await runCli(
    words("profile kernels --only tanh --runs 2 --no-roof --html p.html"),
    { cwd },
  );
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^tanh backward \S+ +tanh\.backward +1 /m);
  assert.match(Deno.readTextFileSync(`${cwd}/p.html`), /^<!doctype html>[\s\S]*tanh\.backward/);
});

Deno.test("what profile cannot do is told in a line", async () => {
  using place = folder({});
  for (
    const [args, wanted] of [
      ["profile step --preset pica", /preset pica: wanted .* did you mean pico\?/],
      ["profile step --family berd", /did you mean bert\?/],
      ["profile generate --sequence 16 --tokens 64", /Cannot write 64 tokens/],
      ["profile stpe", /Cannot profile stpe: wanted step, .* did you mean step\?/],
      ["profile kernels --only matmull", /Cannot profile kernels named matmull: .*matmul, /],
      ["profile --kernel none.wgsl --workgroups 1", /Cannot read none.wgsl: no such file/],
      ["profile kernel none.wgsl", /Cannot read none.wgsl: no such file/],
      [
        `profile kernel ${example("matmul_tiled")}`,
        /Cannot run a shader without a number of workgroups: give --workgroups, such as 16,16/,
      ],
      [
        "profile --kernel none.wgsl --workgroups 1 --bufer a=1",
        /unknown option '--bufer'.*did you mean --buffer\?/,
      ],
      [
        "profile kernel none.wgsl --workgroups 1 --buffer a",
        /--buffer <name=sides>.* is invalid: wanted name=1024x512 or name=1024:0..197/,
      ],
      [
        `profile kernel ${example("matmul_tiled")} --workgroups 1 --buffer a=64`,
        /Cannot run matmul_tiled.main: no size is given of .*; add --buffer/,
      ],
    ] as const
  ) {
    const { code, stdout, stderr } = await runCli(words(args), { cwd: place.path });
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, wanted);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
});
