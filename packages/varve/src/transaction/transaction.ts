/**
 * A transaction as its user has it: reads of one registered state with its own writes on top, and those writes. How it begins,
 * locks and ends is transaction-life.ts.
 *
 * What it reads is noted under `serializable`, before it is read: a read that throws has told something, too.
 */
import { cloneOf, EMPTY } from '../base/bytes.ts';
import { withTtl } from '../base/expiry.ts';
import { KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../base/kinds.ts';
import type { Keyspace, PutOptions, Range, RangeView } from '../engine/keyspace-types.ts';
import { decodeValue } from '../engine/codecs/codec.ts';
import { RangeCursor } from '../engine/cursor.ts';
import { KeyspaceHandle } from '../engine/keyspace.ts';
import type { Transaction } from '../engine/transaction-types.ts';
import type { Tree } from '../engine/tree.ts';
import { checkPutOptions } from '../engine/write-checks.ts';
import { spanChangedSince } from './read-set.ts';
import { TransactionLife } from './transaction-life.ts';
import { transactionRange } from './transaction-range.ts';
import { ownMergedValue, ownValue } from './own-merge.ts';
import { givesValue, type OwnMerge } from './write-set.ts';

export class TransactionHandle extends TransactionLife implements Transaction {
  get<K, V>(keyspace: Keyspace<K, V>, key: K): V | undefined {
    const { writes } = this.open();
    const handle = this.#handle(keyspace);
    const bytes = handle.encodeKey(key);
    if (writes.count > 0) {
      const own = writes.find(handle.id, bytes);
      if (own >= 0) return this.#own(handle, own);
    }
    this.#noteKey(handle, bytes);
    return handle.getEncodedAt(bytes, this);
  }

  getMany<K, V>(keyspace: Keyspace<K, V>, keys: readonly K[]): (V | undefined)[] {
    const { writes } = this.open();
    const handle = this.#handle(keyspace);
    const owns = keys.map((key) => {
      const bytes = handle.encodeKey(key);
      const own = writes.find(handle.id, bytes);
      if (own < 0) this.#noteKey(handle, bytes);
      return own;
    });
    // What it has written itself is not read: what is there may not be readable.
    const others = handle.getManyAt(
      keys.filter((_, i) => owns[i]! < 0),
      this,
    );
    let at = 0;
    return owns.map((own) => (own < 0 ? others[at++] : this.#own(handle, own)));
  }

  has<K, V>(keyspace: Keyspace<K, V>, key: K): boolean {
    const { writes } = this.open();
    const handle = this.#handle(keyspace);
    const bytes = handle.encodeKey(key);
    const own = writes.find(handle.id, bytes);
    if (own >= 0) return givesValue(writes.kindOf(own));
    this.#noteKey(handle, bytes);
    return handle.hasEncodedAt(bytes, this);
  }

  range<K, V>(keyspace: Keyspace<K, V>, range: Range<K> = {}): RangeView<K, V> {
    this.open();
    const handle = this.#handle(keyspace);
    const bounds = handle.bounds(range);
    const check = (): void => {
      this.open();
      handle.check();
    };
    return transactionRange<K, V>(this.env.core, handle.codecs, {
      bounds,
      open: () => {
        this.hasRead = true;
        return new RangeCursor(this.env.core, handle.tree, { ...bounds, limit: Infinity }, this, check);
      },
      overlay: () => this.open().writes.overlay(handle.id, bounds.lower, bounds.upper),
      merged: (key, merge) => this.#merged(handle, key, merge),
      note: () => {
        if (this.isolation !== 'serializable') return undefined;
        const read = { tree: handle.tree, lower: bounds.lower, upper: bounds.upper, isNothing: false };
        this.open().reads.addRange(read);
        return read;
      },
      check,
    });
  }

  async getForUpdate<K, V>(keyspace: Keyspace<K, V>, key: K): Promise<V | undefined> {
    this.open();
    const handle = this.#handle(keyspace);
    const bytes = cloneOf(handle.encodeKey(key));
    const wait = this.lock(handle.tree, bytes, undefined);
    if (wait !== undefined) await wait;
    this.open();
    this.catchUp(() => spanChangedSince(handle.tree, bytes, undefined, this.sequence));
    return this.get(keyspace, key);
  }

  async lockRange<K, V>(keyspace: Keyspace<K, V>, range: { gte: K; lt: K }): Promise<void> {
    this.open();
    const handle = this.#handle(keyspace);
    const ends = handle.encodeDeleteRange(range);
    if (ends === undefined) return;
    const from = cloneOf(ends.from);
    const to = cloneOf(ends.to);
    const wait = this.lock(handle.tree, from, to);
    if (wait !== undefined) await wait;
    this.open();
    this.catchUp(() => spanChangedSince(handle.tree, from, to, this.sequence));
  }

  put<K, V>(keyspace: Keyspace<K, V>, key: K, value: V, options?: PutOptions): void {
    this.open();
    const handle = this.#handle(keyspace);
    checkPutOptions(options, false);
    const k = handle.encodeKey(key);
    const v = handle.encodeValue(value);
    const ttlMs = handle.ttlOf(options);
    // Encoders are user code: they may have ended it.
    const { writes } = this.open();
    if (ttlMs === undefined) writes.add(KIND_PUT, handle.id, k, v);
    else writes.add(KIND_PUT_EXPIRY, handle.id, k, withTtl(v, ttlMs));
  }

  delete<K, V>(keyspace: Keyspace<K, V>, key: K): void {
    const handle = this.#handle(keyspace);
    const bytes = handle.encodeKey(key);
    this.open().writes.add(KIND_DELETE, handle.id, bytes, EMPTY);
  }

  deleteRange<K, V>(keyspace: Keyspace<K, V>, range: { gte: K; lt: K }): void {
    this.open();
    const handle = this.#handle(keyspace);
    const ends = handle.encodeDeleteRange(range);
    if (ends !== undefined) this.open().writes.add(KIND_RANGE_DELETE, handle.id, ends.from, ends.to);
  }

  merge<K, V>(keyspace: Keyspace<K, V>, key: K, operand: V, options?: undefined): void {
    const handle = this.#handle(keyspace);
    const k = handle.encodeKey(key);
    const list = handle.encodeOperand(operand, options);
    this.open().writes.add(KIND_MERGE, handle.id, k, list);
  }

  #handle<K, V>(keyspace: Keyspace<K, V>): KeyspaceHandle<K, V> {
    return KeyspaceHandle.of(keyspace, this.env.core);
  }

  /** It reads the key at its point. */
  #noteKey(handle: { readonly tree: Tree }, key: Uint8Array): void {
    this.hasRead = true;
    if (this.isolation === 'serializable') this.open().reads.addKey(handle.tree, key);
  }

  #merged(handle: { readonly tree: Tree }, key: Uint8Array, merge: OwnMerge): Uint8Array {
    return ownMergedValue(this.env.core, handle.tree, key, merge, () => {
      this.#noteKey(handle, key);
      return this;
    });
  }

  #own<K, V>(handle: KeyspaceHandle<K, V>, operation: number): V | undefined {
    const { writes } = this.open();
    const bytes = ownValue(writes, operation, (key, merge) => this.#merged(handle, key, merge));
    return bytes && decodeValue(handle.codecs.value, bytes, 0, bytes.length);
  }
}
