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

Deno.test("what profile cannot do is told in a line", async () => {
  using place = folder({});
  for (
    const [args, wanted] of [
      ["profile step --preset pica", /preset pica: wanted .* did you mean pico\?/],
      ["profile step --family berd", /did you mean bert\?/],
      ["profile generate --sequence 16 --tokens 64", /Cannot write 64 tokens/],
    ] as const
  ) {
    const { code, stdout, stderr } = await runCli(words(args), { cwd: place.path });
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, wanted);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
});
