/**
 * A read that the host waits for later, while the device goes on.
 *
 * @module
 */
import type { Device } from "./device.ts";
import type { PooledBuffer } from "./pooled_buffer.ts";

/** The beginning of a buffer, to be read. */
export interface ReadSource {
  /** What holds it. */
  buffer: PooledBuffer;
  /** Bytes from its beginning. */
  byteLength: number;
}

/**
 * Copies of buffers as they are at one place of the stream. `Commands.readLater` is the usual way in.
 * Whoever asks for one either waits for its bytes or cancels it: it holds memory until then.
 */
export class LaterRead {
  readonly #device: Device;
  readonly #staging: GPUBuffer;
  readonly #byteLengths: number[];
  #mapped: Promise<void> | undefined;

  /** `copy` records the copies into the buffer that it is given. */
  constructor(
    device: Device,
    sources: readonly ReadSource[],
    copy: (staging: GPUBuffer) => void,
  ) {
    this.#device = device;
    this.#byteLengths = sources.map(({ byteLength }) => byteLength);
    this.#staging = device.raw.createBuffer({
      label: "read-back",
      size: Math.max(4, this.#byteLengths.reduce((sum, n) => sum + n, 0)),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    copy(this.#staging);
  }

  /** Asks for the mapping, once; what goes wrong is told to whoever waits for the bytes. */
  map(): void {
    if (this.#mapped) return;
    this.#mapped = this.#staging.mapAsync(GPUMapMode.READ);
    this.#mapped.catch(() => {});
  }

  /** Submits what is recorded, if the copies are not yet submitted, and waits for them. */
  async bytes(): Promise<ArrayBuffer[]> {
    try {
      this.#device.requireOpen("read a tensor");
      if (!this.#mapped) {
        this.#device.commands.submit();
        this.map();
      }
      await this.#mapped;
      const mapped = this.#staging.getMappedRange();
      let at = 0;
      return this.#byteLengths.map((n) => mapped.slice(at, at += n));
    } catch (cause) {
      throw await this.#device.explain(cause, "read a tensor");
    } finally {
      this.#staging.destroy();
    }
  }

  /** Gives the memory back unread. */
  cancel(): void {
    // What is recorded still copies into it.
    if (!this.#mapped) this.#device.commands.submit();
    if (this.#device.isOpen) this.map();
    this.#staging.destroy();
  }
}
