/**
 * Initial weights from a counter: the same seed and name give the same numbers on every machine.
 *
 * @module
 */

/** The pcg4d hash of four 32-bit numbers (Jarzynski & Olano, JCGT 9(3), 2020). */
export function pcg4d(
  a: number,
  b: number,
  c: number,
  d: number,
): [number, number, number, number] {
  const lcg = (v: number): number => (Math.imul(v, 1664525) + 1013904223) | 0;
  let [x, y, z, w] = [lcg(a), lcg(b), lcg(c), lcg(d)];
  const mix = (): void => {
    x = (x + Math.imul(y, w)) | 0;
    y = (y + Math.imul(z, x)) | 0;
    z = (z + Math.imul(x, y)) | 0;
    w = (w + Math.imul(y, z)) | 0;
  };
  mix();
  [x, y, z, w] = [x ^ (x >>> 16), y ^ (y >>> 16), z ^ (z >>> 16), w ^ (w >>> 16)];
  mix();
  return [x >>> 0, y >>> 0, z >>> 0, w >>> 0];
}

/** `size` normal numbers of the given standard deviation (Box & Muller 1958). */
export function normals(
  size: number,
  options: { deviation: number; seed: number; name: string },
): Float32Array<ArrayBuffer> {
  const { deviation, seed, name } = options;
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  const out = new Float32Array(size);
  for (let i = 0; i < size; i += 2) {
    const [u, v] = pcg4d(i, hash, seed, 0);
    const radius = deviation * Math.sqrt(-2 * Math.log((u + 1) / 2 ** 32));
    const angle = 2 * Math.PI * v / 2 ** 32;
    out[i] = radius * Math.cos(angle);
    if (i + 1 < size) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}

/**
 * Fixed positions (Vaswani et al. 2017, section 3.5): even columns sin(t/10000^(i/C)), odd columns the
 * cosine of the same angle, i the even column's number. Returned as (context, C).
 */
export function sinusoids(context: number, channels: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(context * channels);
  for (let t = 0; t < context; t++) {
    for (let c = 0; c < channels; c++) {
      const angle = t / 10000 ** ((c - c % 2) / channels);
      out[t * channels + c] = c % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return out;
}
