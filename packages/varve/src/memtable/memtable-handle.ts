/** How a memtable is named for another thread: the pool, and where in it the memtable's descriptor lies. */
import type { SegmentPoolHandle } from '../arena/segment-pool.ts';

/** Plain data, good until the memtable is released. */
export interface MemtableHandle {
  readonly pool: SegmentPoolHandle;
  /** Word index of the descriptor (memtable/descriptor.ts); 0: the memtable is empty. */
  readonly descriptor: number;
}
