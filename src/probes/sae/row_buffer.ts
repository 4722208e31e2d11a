/**
 * A pool of activations on the device, from which batches are drawn in random order.
 *
 * Neighbouring tokens have much in common, and a batch of neighbours would teach little: so activations
 * of many sequences are mixed (Bricken et al. 2023, "Towards Monosemanticity", appendix on training).
 *
 * @module
 */
import { checkOptions, count, seedRule, whole } from "../../formats/option_rules.ts";
import { randomOf, shuffle } from "../../data/random.ts";
import type { Device } from "../../gpu/device.ts";
import type { Tensor } from "../../gpu/tensor.ts";
import { gatherRows } from "../../kernels/gather_rows.ts";

/** Gives batches of rows to train on. */
export interface RowSource {
  /** C. */
  readonly columns: number;
  /** The next rows (batch, C), in the caller's scope. */
  next(batch: number): Tensor;
}

/** What a pool is filled from. */
export interface RowBufferOptions {
  /** Rows that it holds: some times a batch. */
  rows: number;
  /** C. */
  columns: number;
  /** The next rows (n, C) in the order of their text. */
  fill: () => Tensor;
  /** Decides the order. */
  seed?: number;
}

/** Holds rows, gives them out once each in random order, and fills up when half are gone. */
export class RowBuffer implements RowSource, Disposable {
  readonly columns: number;
  readonly #device: Device;
  readonly #options: RowBufferOptions;
  readonly #rows: Tensor;
  #order: Uint32Array;
  #at: number;
  #fills = 0;

  /** Nothing is filled before the first batch. */
  constructor(device: Device, options: RowBufferOptions) {
    const { rows, columns, seed = 0 } = options;
    checkOptions("Cannot mix rows", { rows, columns, seed }, {
      rows: count,
      columns: count,
      seed: seedRule,
    });
    this.#device = device;
    this.#options = options;
    this.columns = options.columns;
    this.#rows = device.pool.persistent(() => device.tensor([options.rows, options.columns]));
    this.#order = new Uint32Array(options.rows);
    this.#at = options.rows;
  }

  /** The next rows (batch, C); no row comes twice. */
  next(batch: number): Tensor {
    const { rows } = this.#options;
    checkOptions("Cannot take rows", { batch }, { batch: whole(1, rows) });
    if (this.#at + batch > Math.max(rows / 2, batch)) this.#refill();
    const chosen = this.#order.slice(this.#at, this.#at += batch);
    using scope = this.#device.scope();
    return scope.keep(gatherRows(this.#rows, this.#device.upload(chosen)));
  }

  /** Moves what is left to the front, fills up behind it, and mixes anew. */
  #refill(): void {
    const { rows, columns, fill, seed = 0 } = this.#options;
    const { commands } = this.#device;
    const rowBytes = 4 * columns;
    let filled = rows - this.#at;
    if (filled > 0) {
      using _scope = this.#device.scope();
      const left = gatherRows(this.#rows, this.#device.upload(this.#order.slice(this.#at)));
      commands.copy(left.buffer, this.#rows.buffer, filled * rowBytes);
    }
    while (filled < rows) {
      using _scope = this.#device.scope();
      const fresh = fill();
      const count = Math.min(rows - filled, fresh.size / columns);
      commands.copy(fresh.buffer, this.#rows.buffer, count * rowBytes, {
        target: filled * rowBytes,
      });
      filled += count;
    }
    this.#order = Uint32Array.from({ length: rows }, (_, i) => i);
    shuffle(this.#order, randomOf(seed, this.#fills++));
    this.#at = 0;
  }

  /** Gives the memory back. */
  [Symbol.dispose](): void {
    this.#device.pool.release(this.#rows.buffer);
  }
}
