/** Numbers, times and texts as a progress bar shows them. @module */

import { escapeControls } from "../formats/messages.ts";

/** A text on one line whose control characters are spelled out, tabs excepted. */
export function visible(text: string): string {
  return escapeControls(text, { keep: "\t" });
}

/** Seconds as `m:ss` or `h:mm:ss`; `--:--` if they are unknown or beyond a thousand hours. */
export function formatDuration(seconds: number | undefined): string {
  if (seconds === undefined || !(seconds < 3_600_000)) return "--:--";
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = two(whole % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** A number with four digits, an integer in full. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  return size < 1e-3 || size >= 1e6 ? value.toExponential(2) : value.toPrecision(4);
}

/** Units a second; seconds a unit if they are slow. */
export function formatRate(rate: number | undefined, unit: string): string {
  if (rate === undefined) return `- ${unit}s/s`;
  const short = (value: number): string =>
    value < 100 ? value.toPrecision(3) : String(Math.round(value));
  return rate < 1 ? `${short(1 / rate)} s/${unit}` : `${short(rate)} ${unit}s/s`;
}

/** A field: a unit such as `tok/s` stands behind its number, another name before its value. */
export function formatField(name: string, value: string | number): string {
  const shown = typeof value === "number" ? formatNumber(value) : visible(value);
  return name.includes("/") ? `${shown} ${visible(name)}` : `${visible(name)} ${shown}`;
}
