/**
 * What a simulation or a test puts in the place of the system's own parts, beside the file system and the clock.
 */
import type { MemtableType } from '../memtable/memtable.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import type { Lane } from '../workers/job-runner.ts';

export interface Components {
  readonly scheduler?: Scheduler;
  /** Chooses which busy lane takes the next step, when jobs run in slices. */
  readonly pickLane?: (count: number) => number;
  /** Unique ids of tables (16 bytes each), when jobs run in slices. */
  readonly uniqueId?: () => Uint8Array;
  /** Milliseconds of background work per turn when jobs run in slices; 0 is one step. */
  readonly sliceMs?: number;
  /** Asked before each step of a job in a slice: true ends it as if its thread had died, with nothing cleaned up. */
  readonly losesJob?: (lane: Lane) => boolean;
  /** The structure of memtables; by default `btree`. Nothing on disk depends on it. */
  readonly memtable?: MemtableType;
}
