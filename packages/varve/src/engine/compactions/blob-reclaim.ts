/**
 * Reclaims blob files: what compactions are to empty, and what is compacted for it when nothing else is due (picker-blobs.ts).
 * Remembers of each keyspace which files could not be read: their values stay where they are, and nobody tries that again before
 * the next open. Owner's thread.
 */
import { type BlobSettings, blobsToEmpty, pickBlobs } from '../../compaction/picker-blobs.ts';
import type { CompactionPlan } from '../../compaction/plan.ts';
import type { RunningSet } from '../../compaction/running-set.ts';
import { blobName } from '../../fs/file-names.ts';
import type { BlobMeta } from '../../manifest/blob-meta.ts';
import type { Events } from '../../observe/events.ts';
import { tableBytesAt } from '../../options/keyspace-settings.ts';
import type { Tree } from '../tree.ts';

const none: ReadonlySet<number> = new Set();

export class BlobReclaim {
  readonly #events: Events;
  readonly #unread = new WeakMap<Tree, ReadonlySet<number>>();

  constructor(events: Events) {
    this.#events = events;
  }

  /** A compaction for blob files alone. */
  pick(tree: Tree, running: RunningSet): CompactionPlan | undefined {
    return pickBlobs(tree.view.version, running, this.#settings(tree));
  }

  /** Blob files whose values a compaction that starts now copies when it comes across them. */
  emptied(tree: Tree): BlobMeta[] {
    return blobsToEmpty(tree.view.version, this.#settings(tree));
  }

  /** A compaction could not read values in these. */
  note(tree: Tree, numbers: readonly number[]): void {
    if (numbers.length === 0) return;
    this.#unread.set(tree, new Set([...(this.#unread.get(tree) ?? none), ...numbers]));
    this.#events.emit('warning', () => ({
      code: 'BLOBS_UNREAD',
      message: `keyspace '${tree.name}': values in ${numbers.map(blobName).join(', ')} can not be read; they stay, verify({ full: true }) lists them`,
    }));
  }

  #settings(tree: Tree): BlobSettings {
    return {
      tableBytes: (depth) => tableBytesAt(tree.settings, depth),
      unreadable: this.#unread.get(tree) ?? none,
    };
  }
}
