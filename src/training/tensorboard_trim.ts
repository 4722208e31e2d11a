/** Takes from older event files of a run what a resumed run is about to write again. @module */

import { VitrailError } from "../errors.ts";
import { describeIoError, showPath } from "../formats/messages.ts";
import { maskedCrc32c } from "./tensorboard_encoding.ts";

/** Names of the event files that we write; other programs' files are left alone. */
const OURS = /^events\.out\.tfevents\.\d{10}\.vitrail\.\d+$/;

/** Bytes of a record around its payload. */
const FRAME = 16;
/** `Event.step` in event.proto, a varint. */
const STEP_KEY = 2 << 3;

/** A varint at `at`, and where it ends. */
function varint(bytes: Uint8Array, at: number): [value: number, end: number] {
  let [value, place] = [0, 1];
  for (; at < bytes.length; place *= 128) {
    const byte = bytes[at++];
    value += (byte & 127) * place;
    if (byte < 128) break;
  }
  return [value, at];
}

/** The step of an event; 0, as protobuf has it, where none is written. */
function stepOf(event: Uint8Array): number {
  for (let at = 0; at < event.length;) {
    const [key, value] = varint(event, at);
    const [number, end] = (key & 7) === 0 || (key & 7) === 2 ? varint(event, value) : [0, value];
    if (key === STEP_KEY) return number;
    at = end + [0, 8, number, 0, 0, 4][key & 7];
  }
  return 0;
}

/**
 * Where a file has to end: before its first event of `fromStep` or later, or before the first record
 * that was torn when its writer was killed. Steps ascend within a file.
 */
function keptBytes(file: Uint8Array, fromStep: number): { bytes: number; events: number } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let [bytes, events] = [0, 0];
  while (bytes + FRAME <= file.length) {
    const length = Number(view.getBigUint64(bytes, true));
    const end = bytes + FRAME + length;
    if (end > file.length) break;
    const payload = file.subarray(bytes + 12, bytes + 12 + length);
    const sound = view.getUint32(bytes + 8, true) ===
        maskedCrc32c(file.subarray(bytes, bytes + 8)) &&
      view.getUint32(end - 4, true) === maskedCrc32c(payload);
    if (!sound || stepOf(payload) >= fromStep) break;
    [bytes, events] = [end, events + 1];
  }
  return { bytes, events };
}

/**
 * Shortens our event files of a directory to the events before `fromStep`, and removes those that
 * would hold no event. A directory that is missing has none.
 *
 * @throws {VitrailError} when a file cannot be read or changed
 */
export function trimEvents(directory: string, fromStep: number): void {
  let path = directory;
  try {
    const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
    for (const name of names.filter((name) => OURS.test(name))) {
      path = `${directory}/${name}`;
      const file = Deno.readFileSync(path);
      const { bytes, events } = keptBytes(file, fromStep);
      // The first record of a file only tells its version.
      if (events <= 1) Deno.removeSync(path);
      else if (bytes < file.length) Deno.truncateSync(path, bytes);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && path === directory) return;
    throw new VitrailError(`Cannot trim ${showPath(path)}: ${describeIoError(error)}`, {
      cause: error,
    });
  }
}
