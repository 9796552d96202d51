/**
 * `varve/testing`: what tests need that the database must not depend on: simulated and faulty disks, seeded randomness, and
 * an open that takes a scheduler, so that a whole run follows from one seed.
 */
import type { Database } from './engine/api-types.ts';
import type { Components } from './engine/components.ts';
import { openDatabase } from './engine/open.ts';
import type { DatabaseOptions } from './index.ts';
import { maintenance } from './maintenance/maintenance.ts';

/**
 * `open` with the scheduler and the order of background work in the caller's hands. Jobs run in slices on this thread.
 *
 * @example
 * const db = await openSimulated('/db', { fileSystem: new SimFs(), clock }, { scheduler, sliceMs: 0 });
 */
export function openSimulated(
  path: string,
  options: DatabaseOptions,
  components: Components,
): Promise<Database> {
  return openDatabase(path, options, maintenance, components);
}

export { Random } from './base/random.ts';
export type { Components } from './engine/components.ts';
export { FaultFs } from './fs/fault-fs.ts';
export type { FaultKind, FaultOperation, FaultRule } from './fs/fault-rules.ts';
export { MemoryFs } from './fs/memory-fs.ts';
export { nodeFileSystem } from './fs/node-fs.ts';
export { SimFs, SimulatedCrash } from './fs/sim-fs.ts';
export type { SimOperation } from './fs/sim-fs.ts';
export { type ReadMode, withReads } from './fs/table-reads.ts';
export type { Scheduler, Timer } from './runtime/scheduler.ts';
