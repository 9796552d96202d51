/**
 * Prepared transactions of a database: validated, on disk, and sure to go through, until somebody decides by their id.
 *
 * What a prepared transaction writes, and under `serializable` what it has read, stays locked: so nothing can happen that it
 * would conflict with, and its commit needs no look. Its record holds the locks, its batch and its id; after a crash or a
 * reopening it is there again, with its locks, before anybody can write (record/prepared.ts, engine/recovery.ts). The log is
 * kept from its record on. Owner's thread alone: it has the log. Where threads share the database the locks keep them out too.
 */
import { invalid, VarveError } from '../base/errors.ts';
import { KIND_RANGE_DELETE } from '../base/kinds.ts';
import type { Session } from '../engine/core.ts';
import type { PreparedState } from '../engine/state.ts';
import type { PreparedTransaction } from '../engine/transaction-types.ts';
import { BatchBuffer, BatchReader } from '../record/batch.ts';
import { RECORD_COMMIT, RECORD_PREPARE } from '../record/log-record.ts';
import { joinedBatch, mayJoin } from '../engine/merging/join-batch.ts';
import {
  encodeDecision,
  encodePrepared,
  type LockedKeys,
  PREPARED_ID_BYTES_MAX,
} from '../record/prepared.ts';
import type { LockOwner } from './lock-book.ts';
import type { LockTable } from './locks.ts';

/** What a transaction brings to be prepared. */
export interface ToPrepare {
  readonly owner: LockOwner;
  readonly batch: BatchBuffer;
  /** What it has read and stays as it is. */
  reads(): Iterable<LockedKeys>;
  /** Throws when somebody has written what it relies on. */
  validate(): void;
}

export class PreparedTransactions {
  readonly #core: Session;
  readonly #locks: LockTable;
  readonly #owners = new Map<string, LockOwner>();

  constructor(core: Session, locks: LockTable) {
    this.#core = core;
    this.#locks = locks;
    for (const [id, prepared] of core.state.prepared) this.#recovered(id, prepared);
  }

  /** Refuses an id that can not be used, and a database that can not prepare. */
  checkNew(id: string): void {
    const { state, owner } = this.#core;
    checkId(id);
    if (owner === undefined) {
      const message = 'the thread that opened the database prepares transactions; attached threads do not';
      throw invalid('PREPARE_UNSUPPORTED', message, {});
    }
    if (!state.prepared.has(id)) return;
    const message = `a transaction is prepared as '${id}' already; commit it or roll it back first`;
    throw new VarveError('conflict', 'PREPARED_ID_USED', message, { id });
  }

  /** Under an id that was checked; returns the sequence of its record. Nothing has happened when it throws. */
  prepare(id: string, { owner, batch: given, reads, validate }: ToPrepare): number {
    const { state, pipeline } = this.#core;
    pipeline.checkWritable(given.length);
    // Here and not at its commit, which needs no user code then: it may come after a reopening, and must not fail.
    const batch = mayJoin(given) ? joinedBatch(given, state.trees) : given;
    const spans = [...writtenBy(batch), ...reads()];
    const copy = batch.bytes.slice(0, batch.length);
    const time = this.#core.owner!.options.timestamps ? state.time.now() : 0;
    const record = encodePrepared({ id, time, locks: spans, batch: copy });
    // What it had locked before and locks here is given back by its rollback when this fails.
    const sequence = pipeline.note(RECORD_PREPARE, record, () => {
      validate();
      // What is prepared is sure to be written.
      const gone = spans.find(({ keyspaceId }) => !state.trees.has(keyspaceId));
      if (gone !== undefined) {
        const message = 'the transaction writes to a keyspace that was dropped';
        throw invalid('KEYSPACE_DROPPED', message, { keyspaceId: gone.keyspaceId });
      }
      owner.prepared = id;
      this.#locks.lockAll(owner, spans);
    });
    this.#owners.set(id, owner);
    state.prepared.set(id, { sequence, time, locks: spans, batch: copy });
    return sequence;
  }

  commit(id: string): number {
    const { batch } = this.#find(id);
    const { pipeline, state } = this.#core;
    const decision = encodeDecision(id, true);
    const sequence = pipeline.commitPrepared(bufferOf(batch, state.trees), decision, () => this.#find(id));
    this.#decided(id);
    return sequence;
  }

  rollback(id: string): number {
    this.#find(id);
    const sequence = this.#core.pipeline.note(RECORD_COMMIT, encodeDecision(id, false), () => this.#find(id));
    this.#decided(id);
    return sequence;
  }

  /** In the order in which they were prepared. */
  list(): PreparedTransaction[] {
    this.#core.state.checkOpen();
    return [...this.#core.state.prepared].map(([id, { sequence, time, batch }]) => {
      const reader = readerOf(batch);
      const keyspaces = new Set<string>();
      const { count: operations } = reader;
      while (reader.next()) keyspaces.add(this.#nameOf(reader.keyspaceId));
      return {
        id,
        sequence,
        ...(time > 0 && { time }),
        keyspaces: [...keyspaces],
        operations,
        bytes: batch.length,
      };
    });
  }

  #recovered(id: string, { locks, sequence }: PreparedState): void {
    // No transaction of this open has such a number.
    const owner = { id: -sequence, prepared: id };
    this.#owners.set(id, owner);
    // A keyspace that was dropped around it, by salvage, locks nothing.
    const there = locks.filter(({ keyspaceId }) => this.#core.state.trees.has(keyspaceId));
    // Salvage may have stepped over the decision of another one with the same locks.
    this.#locks.lockAll(owner, there, true);
  }

  #decided(id: string): void {
    this.#core.state.prepared.delete(id);
    this.#locks.releaseAll(this.#owners.get(id)!);
    this.#owners.delete(id);
  }

  /** Asked again after all waiting: meanwhile another thread may have been answered, and have decided it. */
  #find(id: string): PreparedState {
    this.#core.state.checkOpen();
    checkId(id);
    const prepared = this.#core.state.prepared.get(id);
    if (prepared !== undefined) return prepared;
    throw invalid('PREPARED_NOT_FOUND', `there is no prepared transaction '${id}'`, {
      id,
      prepared: [...this.#core.state.prepared.keys()].slice(0, 10),
    });
  }

  #nameOf(keyspace: number): string {
    return this.#core.state.trees.get(keyspace)?.name ?? `#${keyspace}`;
  }
}

function checkId(id: unknown): void {
  const isText = typeof id === 'string' && id !== '' && !/\p{Surrogate}/u.test(id);
  if (isText && new TextEncoder().encode(id).length <= PREPARED_ID_BYTES_MAX) return;
  const message = `the id of a prepared transaction is a text of 1 to ${PREPARED_ID_BYTES_MAX} bytes`;
  throw invalid('PREPARED_ID_INVALID', message, {
    got: typeof id === 'string' ? id.slice(0, 300) : typeof id,
  });
}

function* writtenBy(batch: BatchBuffer): Generator<LockedKeys, void> {
  const reader = readerOf(batch.bytes, batch.length);
  while (reader.next()) {
    const { bytes, kind, keyspaceId, keyStart, keyEnd, valueStart, valueEnd } = reader;
    const to = kind === KIND_RANGE_DELETE ? bytes.slice(valueStart, valueEnd) : 'key';
    yield { keyspaceId, from: bytes.slice(keyStart, keyEnd), to };
  }
}

function readerOf(bytes: Uint8Array, length: number = bytes.length): BatchReader {
  const reader = new BatchReader();
  reader.reset(bytes, 0, length, undefined);
  return reader;
}

/** The batch again, to be written. What salvage has dropped the keyspace of is left out, as replay does. */
function bufferOf(bytes: Uint8Array, trees: ReadonlyMap<number, unknown>): BatchBuffer {
  const reader = readerOf(bytes);
  const batch = new BatchBuffer(bytes.length + 64);
  while (reader.next()) {
    if (!trees.has(reader.keyspaceId)) continue;
    const key = bytes.subarray(reader.keyStart, reader.keyEnd);
    batch.add(reader.kind, reader.keyspaceId, key, bytes.subarray(reader.valueStart, reader.valueEnd));
  }
  return batch;
}
