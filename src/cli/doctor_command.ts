/**
 * `vitrail doctor`: what this machine offers.
 *
 * @module
 */
import type { Command } from "commander";
import { openDevice } from "../gpu/device.ts";
import { matmul } from "../kernels/matmul.ts";
import { print } from "./printer.ts";

/** Adds the command to the program. */
export function addDoctor(program: Command): void {
  program.command("doctor")
    .description("say which adapter is there, its limits, and whether a kernel runs on it")
    .option("--json", "print one JSON object", false)
    .action(async (flags) => {
      const device = await openDevice();
      const { maxBufferSize, maxStorageBufferBindingSize } = device.raw.limits;
      const a = device.upload(new Float32Array([1, 2, 3, 4, 5, 6]), [2, 3]);
      const product = Array.from(await matmul(a, a, { transposeB: true }).read());
      const right = product.join() === "14,32,32,77";
      const report = {
        deno: Deno.version.deno,
        adapter: device.description,
        software: device.isCpu,
        maxBufferSize,
        maxStorageBufferBindingSize,
        matmul: right ? "right" : "wrong",
      };
      device.destroy();
      if (flags.json) print(JSON.stringify(report));
      else for (const [name, value] of Object.entries(report)) print(`${name}: ${value}`);
      if (!right) Deno.exitCode = 1;
    });
}
