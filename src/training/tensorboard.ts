/** Event files that TensorBoard shows: scalars and texts by step. @module */

import { VitrailError } from "../errors.ts";
import { describeIoError, showPath } from "../formats/messages.ts";
import { trimEvents } from "./tensorboard_trim.ts";
import {
  bytesField,
  concatenate,
  doubleField,
  floatField,
  integerField,
  tfRecord,
} from "./tensorboard_encoding.ts";

/** How an event file begins. */
export interface EventWriterOptions {
  /**
   * First step that this writer will write again: it and later steps are cut from older files of
   * the directory, and a TensorBoard that has already read them is told to forget them. For a
   * resumed run, the step of its checkpoint plus one.
   */
  purgeStep?: number;
}

/** Bytes that may wait in memory before they are written without being asked to. */
const BUFFER = 1 << 16;

// Field numbers of event.proto, summary.proto and tensor.proto.
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 };
const SUMMARY_VALUE = 1;
const VALUE = { tag: 1, simpleValue: 2, tensor: 8, metadata: 9 };
const TENSOR = { dtype: 1, shape: 2, stringValue: 8 };
const METADATA = { pluginData: 1, dataClass: 4 };
const PLUGIN_NAME = 1;
const SESSION_STATUS = 1;

// Values of enumerations in the same files.
const SESSION_START = 1;
const DT_STRING = 7;
const DATA_CLASS_TENSOR = 2;

/**
 * Writes one event file into a directory, to be shown by `tensorboard --logdir`.
 *
 * Writers that open the same directory one after the other make one file each, which TensorBoard
 * joins in order.
 *
 * @example
 * ```ts
 * import { EventWriter } from "./tensorboard.ts";
 *
 * using events = new EventWriter(`${Deno.makeTempDirSync()}/events`);
 * events.scalar("loss/train", 3.25, 197);
 * events.text("samples", "Call me Ishmael.", 197);
 * ```
 */
export class EventWriter {
  /** The event file. */
  readonly path: string;
  #file: Deno.FsFile | undefined;
  #waiting: Uint8Array[] = [];
  #bytes = 0;

  /**
   * Makes the directory if it is missing, and a new file in it.
   *
   * @throws {VitrailError} when either cannot be made
   */
  constructor(directory: string, options: EventWriterOptions = {}) {
    const { purgeStep } = options;
    if (purgeStep !== undefined) trimEvents(directory, purgeStep);
    // TensorBoard reads the files of a directory in the order of their names.
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, "0");
    try {
      Deno.mkdirSync(directory, { recursive: true });
      this.path = this.#create(`${directory}/events.out.tfevents.${seconds}.vitrail`);
    } catch (error) {
      throw new VitrailError(
        `Cannot make an event file in ${showPath(directory)}: ${describeIoError(error)}`,
        { cause: error },
      );
    }
    this.#add([bytesField(EVENT.fileVersion, "brain.Event:2")]);
    if (purgeStep !== undefined) {
      const start = [integerField(SESSION_STATUS, SESSION_START)];
      this.#add([this.#step(purgeStep), bytesField(EVENT.sessionLog, start)]);
    }
    this.flush();
  }

  /**
   * Adds a value, rounded to 32 bits. Tags with a common part before a slash stand together.
   *
   * @param step a whole number from 0
   * @throws {VitrailError} at another step, and as {@linkcode EventWriter.flush}
   */
  scalar(tag: string, value: number, step: number): void {
    this.scalars({ [tag]: value }, step);
  }

  /**
   * Adds the values of several tags at one step as one event, which takes less room.
   *
   * @param step a whole number from 0
   * @throws {VitrailError} at another step, and as {@linkcode EventWriter.flush}
   */
  scalars(values: Record<string, number>, step: number): void {
    this.#summary(
      step,
      Object.entries(values).map(([tag, value]) => [
        bytesField(VALUE.tag, tag),
        floatField(VALUE.simpleValue, value),
      ]),
    );
  }

  /**
   * Adds a text. TensorBoard reads Markdown; the text is set as a code block, and so shown as it
   * is.
   *
   * @param step a whole number from 0
   * @throws {VitrailError} at another step, and as {@linkcode EventWriter.flush}
   */
  text(tag: string, text: string, step: number): void {
    const block = text.split(/\r\n|\r|\n/).map((line) => "    " + line).join("\n");
    this.#summary(step, [[
      bytesField(VALUE.tag, tag),
      bytesField(VALUE.tensor, [
        integerField(TENSOR.dtype, DT_STRING),
        bytesField(TENSOR.shape, []),
        bytesField(TENSOR.stringValue, block),
      ]),
      bytesField(VALUE.metadata, [
        bytesField(METADATA.pluginData, [bytesField(PLUGIN_NAME, "text")]),
        integerField(METADATA.dataClass, DATA_CLASS_TENSOR),
      ]),
    ]]);
  }

  /**
   * Writes what waits in memory.
   *
   * @throws {VitrailError} when it cannot be stored, or the writer was closed
   */
  flush(): void {
    if (this.#file === undefined) throw this.#closed();
    const bytes = concatenate(this.#waiting);
    this.#waiting = [];
    this.#bytes = 0;
    try {
      let written = 0;
      while (written < bytes.length) written += this.#file.writeSync(bytes.subarray(written));
    } catch (error) {
      throw new VitrailError(`Cannot write ${showPath(this.path)}: ${describeIoError(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * Writes what waits and waits until it is on the disk. To be called before a checkpoint is saved.
   *
   * @throws {VitrailError} as {@linkcode EventWriter.flush}
   */
  sync(): void {
    this.flush();
    try {
      this.#file!.syncDataSync();
    } catch (error) {
      throw new VitrailError(`Cannot write ${showPath(this.path)}: ${describeIoError(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * Writes what waits and closes the file; a second call does nothing.
   *
   * @throws {VitrailError} as {@linkcode EventWriter.flush}; the file is closed nevertheless
   */
  close(): void {
    if (this.#file === undefined) return;
    try {
      this.flush();
    } finally {
      this.#file.close();
      this.#file = undefined;
    }
  }

  /** The same as {@linkcode EventWriter.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #create(name: string): string {
    for (let count = 0;; count++) {
      // A run that is resumed within the second must neither overwrite a file nor go before it.
      const path = `${name}.${String(count).padStart(3, "0")}`;
      try {
        this.#file = Deno.openSync(path, { write: true, createNew: true });
        return path;
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
    }
  }

  #step(step: number): Uint8Array {
    if (Number.isSafeInteger(step) && step >= 0) return integerField(EVENT.step, step);
    throw new VitrailError(
      `Cannot write ${showPath(this.path)}: the step is ${step}, wanted a whole number from 0`,
    );
  }

  #summary(step: number, values: Uint8Array[][]): void {
    const summary = values.map((value) => bytesField(SUMMARY_VALUE, value));
    this.#add([this.#step(step), bytesField(EVENT.summary, summary)]);
  }

  #add(fields: Uint8Array[]): void {
    if (this.#file === undefined) throw this.#closed();
    const record = tfRecord(
      concatenate([doubleField(EVENT.wallTime, Date.now() / 1000), ...fields]),
    );
    this.#waiting.push(record);
    this.#bytes += record.length;
    if (this.#bytes > BUFFER) this.flush();
  }

  #closed(): VitrailError {
    return new VitrailError(
      `Cannot write ${showPath(this.path)}: it was closed, open a new writer`,
    );
  }
}
