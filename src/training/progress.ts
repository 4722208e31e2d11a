/** A progress bar on a terminal, or a plain line now and then elsewhere. @module */

import { formatDuration, formatField, formatRate, visible } from "./progress_format.ts";

/** Where a bar is drawn: `Deno.stderr` is one. */
export interface ProgressStream {
  /** Writes some of the bytes and returns how many. */
  writeSync(bytes: Uint8Array): number;
  /** Whether the cursor can be moved; a stream without this method is no terminal. */
  isTerminal?(): boolean;
}

/** What a bar counts and where it stands. */
export interface ProgressOptions {
  /** Units in all. */
  total: number;
  /** What is going on, in a word or two. */
  label: string;
  /** What is counted, in the singular; default `step`. */
  unit?: string;
  /** Default `Deno.stderr`. */
  stream?: ProgressStream;
  /** Columns of the terminal; by default they are asked for at every draw. */
  width?: number;
  /** Seconds between two lines where there is no terminal; default 10. */
  plainEvery?: number;
  /** The clock, in milliseconds; default `performance.now`. */
  now?: () => number;
}

/** Milliseconds between two draws on a terminal. */
const DRAW_EVERY = 100;
/** Milliseconds that the rate looks back: long enough for evaluations to be spread over. */
const RATE_WINDOW = 30_000;
/** Milliseconds behind which a rate says something: a first unit may take none. */
const RATE_LEAST = 100;
/** Milliseconds between two points that the rate remembers. */
const RATE_POINT = 500;
const WIDEST_BAR = 30;
const NARROWEST_BAR = 6;
const CLEAR_LINE = "\r\x1b[K";

/** Columns of the terminal, 80 if nobody knows. */
function terminalColumns(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}

/**
 * Shows how far a run is: share, count, rate, time left, and fields such as the loss.
 *
 * On a terminal one line is redrawn, ten times a second at most. Elsewhere (a pipe, a log file) a
 * plain line is written at the first update, every ten seconds, and at the end. A stream that can
 * no longer be written, such as a closed pipe, is left alone: a bar never ends a run.
 *
 * @example
 * ```ts
 * import { ProgressBar } from "./progress.ts";
 *
 * using bar = new ProgressBar({ total: 197, label: "train" });
 * bar.update(29, { loss: 3.25, "tok/s": 12345 });
 * bar.line("step 29: Call me Ishmael.");
 * ```
 */
export class ProgressBar {
  readonly #options: ProgressOptions;
  readonly #stream: ProgressStream;
  readonly #terminal: boolean;
  readonly #now: () => number;
  #first: { time: number; done: number };
  #points: { time: number; done: number }[];
  #done = 0;
  #fields: Record<string, string | number> = {};
  #drawn = -Infinity;
  #stale = false;
  #updated = false;
  #finished = false;
  #broken = false;

  /** Starts the clock; nothing is drawn before the first update. */
  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#stream = options.stream ?? Deno.stderr;
    this.#terminal = this.#stream.isTerminal?.() ?? false;
    this.#now = options.now ?? (() => performance.now());
    this.#first = { time: this.#now(), done: 0 };
    this.#points = [this.#first];
  }

  /**
   * Starts the clock again. For a resumed run, whose first units were done before and say nothing
   * about its speed.
   */
  begin(done: number): void {
    this.#first = { time: this.#now(), done };
    this.#points = [this.#first];
    this.#done = done;
  }

  /**
   * Tells the present state; it is drawn when it is time to. Numbers that are no integers are
   * shown with four digits.
   *
   * @param done units done in all
   * @param fields shown behind the bar in their order, the last left out first if space is short
   */
  update(done: number, fields: Record<string, string | number>): void {
    if (this.#finished) return;
    const time = this.#now();
    this.#done = done;
    this.#fields = fields;
    this.#stale = this.#updated = true;
    this.#remember(time);
    const every = this.#terminal ? DRAW_EVERY : (this.#options.plainEvery ?? 10) * 1000;
    if (time - this.#drawn >= every) this.#draw(time);
  }

  /**
   * Writes a text above the bar. Control characters are made visible, as the text may be a model's
   * and a terminal would obey them.
   */
  line(text: string): void {
    const shown = text.split(/\r\n|\n/).map(visible).join("\n") + "\n";
    const bar = this.#terminal && this.#updated && !this.#finished;
    if (!bar) return this.#write(shown);
    // One write, so that the bar does not flicker.
    this.#write(CLEAR_LINE + shown + this.#bar(this.#now()));
  }

  /** Draws the last state and leaves it standing; a second call does nothing. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    if (!this.#updated) return;
    if (this.#terminal) this.#write(`\r${this.#bar(this.#now())}\x1b[K\n`);
    else if (this.#stale) this.#draw(this.#now());
  }

  /** The same as {@linkcode ProgressBar.finish}. */
  [Symbol.dispose](): void {
    this.finish();
  }

  #remember(time: number): void {
    const points = this.#points;
    const last = points[points.length - 1];
    if (this.#done < last.done) {
      // Going back is a new beginning, not a negative speed.
      points.splice(0, points.length, { time, done: this.#done });
    } else if (time - last.time >= RATE_POINT) points.push({ time, done: this.#done });
    while (points.length > 2 && time - points[1].time >= RATE_WINDOW) points.shift();
  }

  /** Units a second, nothing if that cannot be told yet. */
  #rate(time: number): number | undefined {
    // The last words are about the whole run.
    const from = this.#finished ? this.#first : this.#points[0];
    if (!this.#finished && time - from.time < RATE_LEAST) return undefined;
    const rate = (this.#done - from.done) / (time - from.time) * 1000;
    return Number.isFinite(rate) && rate > 0 ? rate : undefined;
  }

  #parts(time: number): { head: string; share: number; percent: string; tail: string[] } {
    const { total, label, unit = "step" } = this.#options;
    const share = total > 0 ? Math.min(Math.max(this.#done / total, 0), 1) : 1;
    const rate = this.#rate(time);
    const left = rate === undefined ? undefined : Math.max(total - this.#done, 0) / rate;
    const elapsed = (time - this.#first.time) / 1000;
    const tail = [
      `${this.#done}/${total} ${unit}s`,
      formatRate(rate, unit),
      this.#finished ? `in ${formatDuration(elapsed)}` : `ETA ${formatDuration(left)}`,
      ...Object.entries(this.#fields).map(([name, value]) => formatField(name, value)),
    ];
    // Rounded down: 100 % is said when all is done and not before.
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    return { head: visible(label), share, percent, tail };
  }

  #plain(time: number): string {
    const { head, percent, tail } = this.#parts(time);
    return [head, percent.trim(), ...tail].join("  ");
  }

  #bar(time: number): string {
    const { head, share, percent, tail } = this.#parts(time);
    // The last column stays free: a character in it would make some terminals wrap.
    const columns = (this.#options.width ?? terminalColumns()) - 1;
    const room = () => columns - [head, percent, ...tail].join("  ").length - 2;
    while (tail.length > 1 && room() < NARROWEST_BAR) tail.pop();
    const width = Math.min(room(), WIDEST_BAR);
    const parts = [head, percent, ...tail];
    if (width >= NARROWEST_BAR) {
      const full = Math.floor(share * width);
      parts.splice(1, 0, "█".repeat(full) + "░".repeat(width - full));
    }
    return [...parts.join("  ")].slice(0, Math.max(columns, 0)).join("");
  }

  #draw(time: number): void {
    this.#drawn = time;
    this.#stale = false;
    this.#write(this.#terminal ? `\r${this.#bar(time)}\x1b[K` : this.#plain(time) + "\n");
  }

  #write(text: string): void {
    if (this.#broken) return;
    const bytes = new TextEncoder().encode(text);
    try {
      let written = 0;
      while (written < bytes.length) written += this.#stream.writeSync(bytes.subarray(written));
    } catch (error) {
      // A full pipe drops one draw; anything else will not get better.
      this.#broken = !(error instanceof Deno.errors.WouldBlock);
    }
  }
}
