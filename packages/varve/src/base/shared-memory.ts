/**
 * Taking shared memory from the system: address space now, pages when they are first touched. Called at open, by whoever
 * owns a fixed budget (memtable pool, block cache).
 */
import { busy } from './errors.ts';

/**
 * A zeroed SharedArrayBuffer.
 *
 * @throws busy `OUT_OF_MEMORY` when the system does not give that much
 */
export function sharedMemory(bytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch (error) {
    throw busy('OUT_OF_MEMORY', `the system does not give ${bytes} bytes of shared memory`, { bytes }, error);
  }
}
