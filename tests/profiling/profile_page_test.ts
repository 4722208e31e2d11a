/**
 * The page of a profile: all figures in it, nothing from the network, and no text that becomes markup.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { openDevice } from "../../src/gpu/device.ts";
import { profilePage } from "../../src/profiling/profile_page.ts";
import { profileShader } from "../../src/profiling/shader_profile.ts";
import { cells } from "../../src/profiling/table.ts";
import { profileStep } from "../../src/profiling/workloads.ts";

const device = await openDevice();
Deno.test.afterAll(() => device.destroy());
const SIZES = { layers: 1, heads: 2, channels: 12, sequence: 29, batch: 3, vocabulary: 197 };

const scripts = (html: string): string[] =>
  [...html.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script/gi)].map(([, text]) => text);
/** The page without what is inside of scripts and styles. */
const markup = (html: string): string =>
  html.replace(/(<(script|style)\b[^>]*>)[\s\S]*?(<\/\2)/gi, "$1$3");

Deno.test("the page holds the table, a dot for each kernel with arithmetic, and all events", async () => {
  const profiled = await profileStep(device, SIZES, { steps: 2 });
  const { profile, recording } = profiled;
  const html = profilePage(profiled);
  const { heads, rows } = cells(profile);
  const text = markup(html);
  for (const row of rows) {
    // Bindings are counted in a terminal, and named here.
    const shown = row.filter((_, c) => heads[c] !== "bindings");
    for (const cell of shown) assert.ok(text.includes(`>${cell}<`), cell);
  }
  assert.match(markup(html), /log_sum_exp \(read_write\)/);
  const { roof, dots, names, lanes } = JSON.parse(scripts(html)[0]);
  assert.deepEqual(roof, profile.roof);
  const counted = profile.kernels.filter(({ flops }) => flops! > 0);
  assert.deepEqual(
    dots.map((dot: { name: string; x: number; y: number }) => [dot.name, dot.x, dot.y]),
    counted.map(({ kernel, intensity, gflops }) => [kernel, intensity, gflops]),
  );
  // deno-lint-ignore no-explicit-any -- lanes come from JSON
  const [steps, host, gpu] = lanes.map(({ events }: any) => events);
  assert.deepEqual(steps.map(([name]: [number]) => names[name]), ["step 1", "step 2"]);
  assert.equal(host.length, recording.events.length + recording.submits.length);
  assert.equal(gpu.length, recording.timed ? recording.events.length : 0);
});

Deno.test("the page asks the network for nothing, and lets no script run but its own", async () => {
  const html = profilePage(await profileStep(device, SIZES, { steps: 1, roof: false }));
  const [policy] = html.match(/Content-Security-Policy" content="([^"]*)"/)!.slice(1);
  assert.match(policy, /^default-src 'none'; /);
  assert.deepEqual(
    policy.match(/'sha256-[^']+'/g),
    scripts(html).slice(1).map((text) =>
      `'sha256-${createHash("sha256").update(text).digest("base64")}'`
    ),
  );
  for (const [, target] of markup(html).matchAll(/(?:src|href)\s*=\s*["']?([^"'\s>]*)/gi)) {
    assert.match(target, /^data:/);
  }
  assert.match(html, /The roof was not measured/);
});

Deno.test("a shader's name stays a name; what has no arithmetic is said to be missing", async () => {
  const source = `@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(1) fn main() { out[0] = 1.0; }`;
  const name = `</script><img src=x onerror="alert(1)">`;
  const html = profilePage(
    await profileShader(device, { name, source }, {
      buffers: { out: { count: 1 } },
      uniforms: {},
      workgroups: [1],
      roof: false,
      runs: 1,
    }),
  );
  assert.ok(!markup(html).includes("<img"));
  assert.equal(scripts(html).length, 3);
  assert.match(html, /Of unknown arithmetic, and so not shown/);
});
