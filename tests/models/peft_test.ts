/**
 * Adapters by PEFT, opened with its own outputs or refused by the name of what is not supported, and with the
 * model that they name. See tests/fixtures/adapters/make_fixture.py.
 *
 * @module
 */
import assert from "node:assert/strict";
import { isAdapter, modelAndAdapter } from "../../src/formats/adapter_base.ts";
import { openAdapterWeights } from "../../src/formats/safetensors.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { loadAdaptedGpt, modelTask } from "../../src/models/adapted_models.ts";
import { loadAdapter, mergeAdapter } from "../../src/models/adapters.ts";
import { loadGpt, saveGpt } from "../../src/models/files.ts";
import { assertThrowsFault, temporaryDirectory } from "../formats/files.ts";
import { type AdapterCase, tryAdapter, tryCase } from "./config_cases.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());

const root = new URL("../fixtures/adapters/adapters/", import.meta.url).pathname;
const cases = Array.from(Deno.readDirSync(root), ({ name }) => name).sort();
const read = (name: string): AdapterCase => {
  const expected = JSON.parse(Deno.readTextFileSync(`${root}${name}/expected.json`));
  return { ...expected, base: `${root}${name}/${expected.base}` };
};
const named = (part: string): string => cases.find((name) => name.includes(part))!;

Deno.test("adapters are equal to PEFT within 1e-5, seen at most 4.6e-7, or refused by name", async () => {
  assert.equal(cases.length, 9);
  const refused: string[] = [];
  for (const name of cases) {
    const { kind, detail } = await tryAdapter(device, `${root}${name}`, read(name));
    if (kind === "refused") refused.push(detail);
    else assert.equal(kind, "equal", `${name}: ${detail}`);
  }
  assert.equal(refused.length, 2);
  assert.match(refused[0], /its target_modules name the embedding transformer.wte, which is not/);
  assert.match(
    refused[1],
    /init_lora_weights is "pissa", wanted true: it changes the model's own w/,
  );
});

Deno.test("an adapter's directory is a model: alone, beside another, merged", async () => {
  const half = `${root}${named("0_gpt_modules_to_save")}`;
  const expected = read(named("0_gpt_modules_to_save"));
  assert.ok(isAdapter(half) && !isAdapter(expected.base));
  assert.equal(modelTask(half), "generate");
  const { model, adapter } = loadAdaptedGpt(device, half);
  assert.equal(model.config.tieWeights, false);
  using place = temporaryDirectory();
  mergeAdapter(model, adapter!);
  await saveGpt(model, place.path);
  assert.equal((await tryCase(device, place.path, expected)).kind, "equal");
});

Deno.test("a model that ties its weights does not take half of an adapter", () => {
  for (const part of ["0_gpt_modules_to_save", "1_gpt_modules_to_save", "2_gpt_modules_to_save"]) {
    const model = loadGpt(device, read(named(part)).base);
    assertThrowsFault(
      () => loadAdapter(model, `${root}${named(part)}`),
      "its modules_to_save replace one half of tied weights, transformer.wte.weight or " +
        "lm_head.weight, which are one tensor in this model; open the two together",
    );
    assert.equal(model.parameters.filter((p) => p.frozen).length, 0);
  }
});

Deno.test("an adapter whose model is not there says what it names", () => {
  using place = temporaryDirectory();
  const config = JSON.parse(Deno.readTextFileSync(`${root}${named("0_gpt")}/adapter_config.json`));
  const write = (base: unknown) =>
    Deno.writeTextFileSync(
      `${place.path}/adapter_config.json`,
      JSON.stringify({ ...config, base_model_name_or_path: base }),
    );
  for (const [base, shown] of [["gpt2", '"gpt2"'], [null, "null"], ["", '""']] as const) {
    write(base);
    assertThrowsFault(
      () => modelAndAdapter({ model: place.path }),
      `its base_model_name_or_path is ${shown}, which is no model's directory here or beside`,
    );
  }
  write(read(named("0_gpt")).base);
  const found = { model: read(named("0_gpt")).base, adapter: place.path };
  assert.deepEqual(modelAndAdapter({ adapter: place.path }), found);
  assert.deepEqual(modelAndAdapter({ model: "elsewhere", adapter: place.path }).model, "elsewhere");
  assertThrowsFault(() => modelAndAdapter({}), "neither its directory nor an adapter's is given");
  Deno.writeTextFileSync(`${place.path}/adapter_model.bin`, "");
  assertThrowsFault(
    () => openAdapterWeights(place.path),
    'it has no adapter_model.safetensors but "adapter_model.bin", weights of PyTorch; convert it',
  );
});
