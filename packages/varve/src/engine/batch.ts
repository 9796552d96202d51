/**
 * The public batch: encodes operations into the byte form that the log stores, so that writing it copies and never walks
 * objects. Keys and values are copied when they are added; nothing of the caller's is kept.
 */
import { withTtl } from '../base/expiry.ts';
import { KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { EMPTY } from '../base/bytes.ts';
import { invalid } from '../base/errors.ts';
import { BatchBuffer } from '../record/batch.ts';
import type { Batch, Keyspace, PutOptions } from './keyspace-types.ts';
import type { Session } from './core.ts';
import { KeyspaceHandle } from './keyspace.ts';
import { checkPutOptions } from './write-checks.ts';

export class BatchHandle implements Batch {
  readonly #core: Session;
  readonly #buffer = new BatchBuffer();
  #isHeld = false;

  constructor(core: Session) {
    this.#core = core;
  }

  /** The buffer of a batch made by this database; `BATCH_FOREIGN` for any other object. */
  static bufferOf(batch: Batch, core: Session): BatchBuffer {
    if (batch instanceof BatchHandle && batch.#core === core) return batch.#free();
    throw invalid('BATCH_FOREIGN', 'the batch was not made by this database; use db.batch()', {
      got: typeof batch,
    });
  }

  /** Keeps a batch as it is while its write waits for room; gives back what ends that. */
  static hold(batch: Batch): () => void {
    const handle = batch as BatchHandle;
    handle.#isHeld = true;
    return () => {
      handle.#isHeld = false;
    };
  }

  put<K, V>(keyspace: Keyspace<K, V>, key: K, value: V, options?: PutOptions): this {
    const handle = KeyspaceHandle.of(keyspace, this.#core);
    checkPutOptions(options, false);
    const k = handle.encodeKey(key);
    const v = handle.encodeValue(value);
    const ttlMs = handle.ttlOf(options);
    if (ttlMs === undefined) this.#free().add(KIND_PUT, handle.id, k, v);
    else this.#free().add(KIND_PUT_EXPIRY, handle.id, k, withTtl(v, ttlMs));
    return this;
  }

  delete<K, V>(keyspace: Keyspace<K, V>, key: K): this {
    const handle = KeyspaceHandle.of(keyspace, this.#core);
    const k = handle.encodeKey(key);
    this.#free().add(KIND_DELETE, handle.id, k, EMPTY);
    return this;
  }

  deleteRange<K, V>(keyspace: Keyspace<K, V>, range: { gte: K; lt: K }): this {
    const handle = KeyspaceHandle.of(keyspace, this.#core);
    const bounds = handle.encodeDeleteRange(range);
    if (bounds === undefined) return this;
    const { from, to } = bounds;
    this.#free().add(KIND_RANGE_DELETE, handle.id, from, to);
    return this;
  }

  merge<K, V>(keyspace: Keyspace<K, V>, key: K, operand: V, options?: undefined): this {
    const handle = KeyspaceHandle.of(keyspace, this.#core);
    const k = handle.encodeKey(key);
    const list = handle.encodeOperand(operand, options);
    this.#free().add(KIND_MERGE, handle.id, k, list);
    return this;
  }

  get count(): number {
    return this.#buffer.count;
  }

  get bytes(): number {
    return this.#buffer.length;
  }

  clear(): this {
    this.#free().clear();
    return this;
  }

  #free(): BatchBuffer {
    if (!this.#isHeld) return this.#buffer;
    throw invalid('BATCH_IN_USE', 'the batch is being written; wait for that write, or use another batch', {
      count: this.count,
    });
  }
}
