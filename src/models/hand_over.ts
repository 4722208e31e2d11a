/**
 * Handing a model over to what is made of it, with nothing left on the device if that fails.
 *
 * @module
 */

/** `make(resource)`, whose result takes the resource over; if it fails, the resource is disposed of. */
export function handOver<R extends Disposable, T>(resource: R, make: (resource: R) => T): T {
  using owned = new DisposableStack();
  owned.use(resource);
  const made = make(resource);
  owned.move();
  return made;
}
