/**
 * Ourselves: one device for all tasks.
 *
 * @module
 */
import { type Device, openDevice } from "../../../src/gpu/device.ts";

/** What we are called in a table. */
export const NAME = "vitrail";

let device: Promise<Device> | undefined;

/** The device, opened at the first call. */
export function ourDevice(): Promise<Device> {
  return device ??= openDevice();
}
