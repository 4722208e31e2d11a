/**
 * Puppeteer, as far as the proof of the pages uses it.
 *
 * @module
 */

// In a variable, so that neither the lock file nor a user's first start brings it.
const SPECIFIER = "npm:puppeteer-core@24.43.1";

/** A tab. */
export interface Page {
  readonly keyboard: { press(key: string): Promise<void> };
  readonly mouse: { move(x: number, y: number): Promise<void> };
  readonly touchscreen: { tap(x: number, y: number): Promise<void> };
  on(event: "console", hear: (message: { type(): string; text(): string }) => void): void;
  on(event: "pageerror", hear: (error: unknown) => void): void;
  on(event: "request", hear: (request: { url(): string }) => void): void;
  setViewport(
    view: { width: number; height: number; isMobile: boolean; hasTouch: boolean },
  ): Promise<void>;
  emulateMediaFeatures(features: { name: string; value: string }[]): Promise<void>;
  evaluateOnNewDocument(source: string): Promise<unknown>;
  evaluate(source: string): Promise<unknown>;
  goto(url: string, options: { waitUntil: "load" }): Promise<unknown>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>;
  title(): Promise<string>;
  close(): Promise<void>;
}

/** A running browser. */
export interface Browser {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

/** Starts a browser. */
export async function launch(
  options: { executablePath: string; args: string[] },
): Promise<Browser> {
  const { default: puppeteer } = await import(SPECIFIER);
  return await puppeteer.launch(options);
}
