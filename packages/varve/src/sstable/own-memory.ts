/**
 * Memory that walks hand out views of (cursor.value): it cannot be transferred to another thread, which would empty it
 * under the walk that still reads it. Any thread.
 */
import { markAsUntransferable } from 'node:worker_threads';

export function ownMemory(bytes: number): Uint8Array {
  const memory = new Uint8Array(bytes);
  markAsUntransferable(memory.buffer);
  return memory;
}
