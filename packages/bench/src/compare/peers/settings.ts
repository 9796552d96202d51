/** What every engine is opened with. */
import type { HandOver } from '../../varve-store.ts';

/** What every engine gets alike. */
export interface StoreSettings {
  /** An empty directory for the database. */
  readonly path: string;
  readonly cacheBytes: number;
  readonly memtableBytes: number;
  /** Writes wait for the disk: for the fillsync workload only. */
  readonly synced: boolean;
  /** Varve only. */
  readonly handOver: HandOver;
  /** `Store.shared` of the store that another thread of this process has opened. */
  readonly shared?: unknown;
}
