/**
 * Memory of one thread for what users have written and not committed yet: as large as they make it, so that the system may
 * not give it. Small arrays of known size are made where they are used.
 */
import { busy } from './errors.ts';

/** @throws busy `OUT_OF_MEMORY` */
export function ownBytes(bytes: number): Uint8Array<ArrayBuffer> {
  return given(bytes, () => new Uint8Array(bytes));
}

/** @throws busy `OUT_OF_MEMORY` */
export function ownNumbers(count: number): Int32Array<ArrayBuffer> {
  return given(4 * count, () => new Int32Array(count));
}

function given<T>(bytes: number, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw busy(
      'OUT_OF_MEMORY',
      `no memory for writes that are to be committed: ${bytes} bytes`,
      { bytes },
      cause,
    );
  }
}
