/**
 * The words of an open database that every part reads: how far readers may see, which views are current, is it open.
 * Owner's thread only (sharing between threads moves `visible` and `generation` into shared memory).
 *
 *   visible     written by the commit pipeline alone, after a batch is in the memtables; read by every reader
 *   generation  raised whenever a read view is replaced; cursors compare it before they move
 *   versions    raised whenever a keyspace gets other tables
 */
import { closed } from '../base/errors.ts';
import type { Tree } from './tree.ts';

export class EngineState {
  readonly path: string;
  visible = 0;
  generation = 0;
  /** How many versions of keyspaces there were since the open: gives each its id. */
  versions = 0;
  isClosed = false;
  /** Open keyspaces by id. */
  readonly trees: Map<number, Tree> = new Map();
  /** Sequences of keyspace changes that are in the log and not in the manifest yet: replay needs them. */
  readonly pendingChanges: Set<number> = new Set();

  constructor(path: string) {
    this.path = path;
  }

  checkOpen(): void {
    if (this.isClosed) throw closed('the database', { path: this.path });
  }
}
