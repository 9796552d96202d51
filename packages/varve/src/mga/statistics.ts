/**
 * Figures of an index: what the database tells of its keyspace, the share of dead entries by a sample, and alerts. Any thread.
 */
import { decodeEntry } from './entry-format.ts';
import type { IndexState } from './index-state.ts';
import { prune } from './lives.ts';
import type { MgaThresholds } from './types.ts';

const SAMPLES = 1024;
const PLACES = 16;
const defaults: Required<MgaThresholds> = { level0Files: 20, bytes: 10_000_000_000, deletedShare: 0.5 };

export type MgaAlertCode = 'LEVEL0_FILES' | 'BYTES' | 'DELETED_SHARE';

export interface MgaAlert {
  readonly code: MgaAlertCode;
  readonly value: number;
  readonly threshold: number;
  /** What to do about it. */
  readonly message: string;
}

export interface MgaStatistics {
  readonly name: string;
  /** Stored entries, estimated: rewritten ones count until they are compacted. */
  readonly entries: number;
  readonly memtableBytes: number;
  /** In tables, all levels together. */
  readonly bytes: number;
  readonly levels: readonly { readonly files: number; readonly bytes: number }[];
  /** Of the sampled entries, how many are removed by a transaction that has committed or were put by one that was rolled back. */
  readonly deletedShare: number;
  readonly sampled: number;
  readonly alerts: readonly MgaAlert[];
}

export function statistics<K>(state: IndexState<K>): MgaStatistics {
  state.enter();
  try {
    const { name, db, store, thresholds } = state;
    const stats = db.stats().keyspaces[store.keyspace.name];
    const levels = stats?.levels ?? [];
    const bytes = stats?.bytes ?? 0;
    const { deletedShare, sampled } = sample(state);
    const limits = { ...defaults, ...thresholds };
    const alerts: MgaAlert[] = [];
    const alert = (code: MgaAlertCode, value: number, threshold: number, message: string): void => {
      if (value > threshold) alerts.push({ code, value, threshold, message: `index '${name}': ${message}` });
    };
    const files = levels[0]?.files ?? 0;
    alert('LEVEL0_FILES', files, limits.level0Files, `${files} files in level 0: compaction falls behind`);
    alert('BYTES', bytes, limits.bytes, `${bytes} bytes in tables: look at the room on the disk`);
    const percent = Math.round(deletedShare * 100);
    alert(
      'DELETED_SHARE',
      deletedShare,
      limits.deletedShare,
      `${percent} % of its entries are dead: vacuum it`,
    );
    const entries = stats?.entries ?? 0;
    return {
      name,
      entries,
      memtableBytes: stats?.memtableBytes ?? 0,
      bytes,
      levels,
      deletedShare,
      sampled,
      alerts,
    };
  } finally {
    state.leave();
  }
}

/** A few neighbours at each of several places. */
function sample<K>({ store, judge }: IndexState<K>): { deletedShare: number; sampled: number } {
  let sampled = 0;
  let dead = 0;
  const places = store.keyspace.range().partitions(PLACES);
  const each = Math.ceil(SAMPLES / places.length);
  for (const place of places) {
    const cursor = place.cursor();
    try {
      for (let i = 0; i < each && cursor.next(); i++) {
        const { lives } = decodeEntry(cursor.value);
        prune(lives, judge, false);
        const newest = lives[0];
        sampled++;
        if (newest === undefined || (newest.xmax !== 0 && judge.isCommitted(newest.xmax))) dead++;
      }
    } finally {
      cursor.close();
    }
  }
  return { deletedShare: sampled === 0 ? 0 : dead / sampled, sampled };
}
