/**
 * SHA-256 of a text or of bytes, in hexadecimal.
 *
 * @module
 */

/** The hash as Python's `hashlib.sha256(…).hexdigest()` gives it. */
export async function sha256(data: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
