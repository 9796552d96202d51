/**
 * `varve/testing`: what tests need that the database must not depend on: simulated and faulty disks, seeded randomness, and
 * an open that takes a scheduler and other parts of the engine, so that a whole run follows from one seed.
 */
import type { Database } from './engine/api-types.ts';
import type { Components } from './engine/components.ts';
import { openDatabase } from './engine/open.ts';
import type { DatabaseOptions } from './index.ts';
import { upperFloors } from './upper-floors.ts';

/**
 * `open` with parts of the engine in the caller's hands: the scheduler and the order of background work, the structure of
 * memtables. With a scheduler, jobs run in slices on this thread.
 *
 * @example
 * const db = await openSimulated('/db', { fileSystem: new SimFs(), clock }, { scheduler, sliceMs: 0 });
 */
export function openSimulated(
  path: string,
  options: DatabaseOptions,
  components: Components,
): Promise<Database> {
  return openDatabase(path, options, upperFloors, components);
}

export { Random } from './base/random.ts';
export type { Components } from './engine/components.ts';
export { SharedWords } from './engine/sharing/shared-words.ts';
export { FaultFs } from './fs/fault-fs.ts';
export type { FaultKind, FaultOperation, FaultRule } from './fs/fault-rules.ts';
export { MemoryFs } from './fs/memory-fs.ts';
export { nodeFileSystem } from './fs/node-fs.ts';
export { SimFs } from './fs/sim-fs.ts';
export { type SimOperation, SimulatedCrash } from './fs/sim-power.ts';
export type { DirectRefusal } from './fs/sim-reads.ts';
export { type ReadMode, withReads } from './fs/table-reads.ts';
export type { MemtableType } from './memtable/memtable.ts';
export type { Scheduler, Timer } from './runtime/scheduler.ts';
