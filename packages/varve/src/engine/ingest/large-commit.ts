/**
 * The commit of a transaction that is larger than a batch (CONTRACT 7): the last operation on each key goes into tables, keyspace
 * by keyspace, and one record of the log names them all. From there on it is an ingestion into several keyspaces.
 *
 * Nothing is held while tables are written: others commit, and what the transaction relies on is looked at in the step
 * that commits. Until its end the batch belongs to this. Owner's thread.
 */
import { cloneOf, EMPTY, sharedPrefix } from '../../base/bytes.ts';
import { asError, invalid } from '../../base/errors.ts';
import type { ChunkWriter } from '../../compaction/entry-chunk.ts';
import type { BatchBuffer } from '../../record/batch.ts';
import type { Core } from '../core.ts';
import type { Tree } from '../tree.ts';
import { joinedOperation } from '../merging/join-batch.ts';
import type { NewTables } from './commit-request.ts';
import { SortedBatch } from './sorted-batch.ts';
import { TableFeed } from './table-feed.ts';
import { TablesRun } from './tables-run.ts';

export class LargeCommit {
  readonly #core: Core;
  readonly #batch: BatchBuffer;
  readonly #validate: () => void;
  readonly #run: TablesRun;

  /** @param validate throws when it may not be committed; called with the write lock, before tables are written and in the end */
  constructor(core: Core, batch: BatchBuffer, validate: () => void) {
    this.#core = core;
    this.#batch = batch;
    this.#validate = validate;
    this.#run = new TablesRun(core);
  }

  /** It ends with `error`, unless it is committed by now. */
  stop(error: Error): void {
    this.#run.stop(error);
  }

  /**
   * Resolves with the sequence once everything is visible. When it rejects nothing is, and nothing is left of it; but for a
   * log that failed for good, as with a batch.
   *
   * @param giveUp rejects with what is to stop it
   */
  async commit(giveUp: Promise<never> | undefined): Promise<number> {
    const { pipeline, runner, state } = this.#core;
    giveUp?.catch((error: unknown) => this.stop(asError(error)));
    pipeline.checkWritable(0);
    runner.hold();
    try {
      return await this.#run.within('nothing was committed', async () => {
        state.exclusive(this.#validate);
        const tables = await this.#write();
        return this.#run.commit(tables, this.#validate);
      });
    } finally {
      runner.unhold();
    }
  }

  async #write(): Promise<NewTables[]> {
    const { state } = this.#core;
    this.#batch.stamp(state.time.now());
    const sorted = new SortedBatch(this.#batch);
    this.#run.beginSlice();
    for (const _ of sorted.sort()) {
      this.#run.worked(0);
      const pause = this.#run.pause();
      if (pause !== undefined) await pause;
    }
    const tables: NewTables[] = [];
    const chunks: ChunkWriter[] = [];
    for (let isThere = sorted.next(); isThere; ) {
      const tree = state.trees.get(sorted.keyspace);
      if (tree === undefined) throw dropped(sorted.keyspace);
      const feed = this.#run.adds(new TableFeed(this.#core, tree, chunks));
      isThere = await this.#fill(feed, tree, sorted);
      tables.push({ tree, files: await this.#run.orStopped(feed.finish()) });
    }
    return tables;
  }

  /** The entries of the keyspace that `sorted` stands at; true when it stands at another one then. */
  async #fill(feed: TableFeed, tree: Tree, sorted: SortedBatch): Promise<boolean> {
    const { bytes, keyspace } = sorted;
    let isThere = true;
    while (isThere && sorted.keyspace === keyspace) {
      const key = bytes.subarray(sorted.keyStart, sorted.keyEnd);
      let { kind } = sorted;
      let value =
        sorted.valueEnd === sorted.valueStart ? EMPTY : bytes.subarray(sorted.valueStart, sorted.valueEnd);
      if (sorted.isJoined) {
        const joined = joinedOperation(tree, key, sorted.operations());
        kind = joined.kind;
        // What is waited for below may call the operator again.
        value = cloneOf(joined.value);
      }
      const last = feed.lastKey;
      const shared = sharedPrefix(last, 0, last.length, key, 0, key.length);
      this.#run.worked(key.length + value.length);
      while (!feed.add(kind, key, shared, value)) {
        await this.#run.orStopped(feed.room(key.length, value.length));
        this.#run.beginSlice();
      }
      const pause = this.#run.pause();
      if (pause !== undefined) await pause;
      isThere = sorted.next();
    }
    return isThere;
  }
}

function dropped(keyspaceId: number): Error {
  return invalid('KEYSPACE_DROPPED', 'the transaction writes to a keyspace that was dropped', { keyspaceId });
}
