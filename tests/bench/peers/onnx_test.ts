/**
 * The bytes of an ONNX file, against the examples of protobuf's guide and a file that ONNX's own checker reads.
 *
 * @module
 */
import assert from "node:assert/strict";
import { OnnxModel } from "../../../bench/peers/onnx/model.ts";
import { float, integer, join, message, text } from "../../../bench/peers/onnx/protobuf.ts";

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");

Deno.test("fields are encoded as protobuf's guide has them", () => {
  // https://protobuf.dev/programming-guides/encoding
  assert.equal(hex(join(integer(1, 150))), "08 96 01");
  assert.equal(hex(join(text(2, "testing"))), "12 07 74 65 73 74 69 6e 67");
  assert.equal(hex(join(message(3, integer(1, 150)))), "1a 03 08 96 01");
  assert.equal(hex(join(float(2, 1))), "15 00 00 80 3f");
  assert.equal(hex(join(integer(20, 2))), "a0 01 02");
  assert.equal(hex(join(integer(1, 2 ** 35))), "08 80 80 80 80 80 01");
});

Deno.test("a model of one node", () => {
  const model = new OnnxModel();
  const x = model.input("x", "float32", ["n", 2]);
  model.product("MatMul", [x, model.constant(Float32Array.of(1, 2), [2, 1])], { name: "y" });
  model.output("y", "float32", ["n", 1]);
  // The file passes onnx.checker, and onnxruntime makes 11 of (3, 4) with it.
  assert.deepEqual(
    hex(model.encode()),
    [
      "08 08", // IR version
      "3a 73", // graph
      "0a 22 0a 01 78 0a 08 77 65 69 67 68 74 5f 30 12 01 79", // node: x, weight_0, y
      "1a 08 4d 61 74 4d 75 6c 5f 31 22 06 4d 61 74 4d 75 6c", // MatMul_1, MatMul
      "12 05 67 72 61 70 68", // name
      "2a 1a 08 02 08 01 10 01 42 08 77 65 69 67 68 74 5f 30", // weight_0: (2, 1) float
      "4a 08 00 00 80 3f 00 00 00 40", // 1, 2
      "5a 14 0a 01 78 12 0f 0a 0d 08 01 12 09 0a 03 12 01 6e 0a 02 08 02", // input x: (n, 2)
      "62 14 0a 01 79 12 0f 0a 0d 08 01 12 09 0a 03 12 01 6e 0a 02 08 01", // output y: (n, 1)
      "42 02 10 11", // operator set 17
      "42 11 0a 0d 63 6f 6d 2e 6d 69 63 72 6f 73 6f 66 74 10 01", // com.microsoft, 1
    ].join(" "),
  );
});

Deno.test("weights fill their shape", () => {
  assert.throws(() => new OnnxModel().constant(Float32Array.of(1, 2), [3]), /2 numbers/);
});
