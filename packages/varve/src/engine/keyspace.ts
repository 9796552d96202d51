/**
 * The public keyspace: checks, encodes, and hands over to the one write path (commit pipeline) or the one read path (tree).
 *
 * Every write here is a batch of one operation; keys and values are encoded before the pipeline is called, because codecs
 * are user code and may write themselves. Everything returned is the caller's own.
 */
import { cloneOf, compareBytes, EMPTY } from '../base/bytes.ts';
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../base/entry.ts';
import { invalid } from '../base/errors.ts';
import { withTtl } from '../base/expiry.ts';
import { KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_PUT_EXPIRY, KIND_RANGE_DELETE } from '../base/kinds.ts';
import { BATCH_OVERHEAD_MAX, BatchBuffer } from '../record/batch.ts';
import type { HistoryOptions, Keyspace, KeyVersion, PutOptions, Range, WriteWait } from './keyspace-types.ts';
import { keyHistory } from './key-history.ts';
import { encodeRange } from './bounds.ts';
import {
  decodeValue,
  encodeKey,
  encodeValue,
  type KeyCodec,
  keyPrefixEnd,
  type ValueCodec,
} from './codecs/codec.ts';
import { keysInvalid, readCold, readLater } from './async-gets.ts';
import type { Session } from './core.ts';
import { checkedOperand, checkMergeable } from './merging/operand-checks.ts';
import { findValue } from './find-value.ts';
import { type CursorRange, RangeCursor } from './cursor.ts';
import type { RangeReader } from './range-view.ts';
import { rangeReader } from './ranges.ts';
import type { ReadPoint } from './read-point.ts';
import { type CountOptions, countRange } from './count-async.ts';
import { approximateSize } from './approximate-size.ts';
import { getStaged } from './staged-gets.ts';
import type { Tree } from './tree.ts';
import { type ReadVersion, updateValue } from './update.ts';
import { checkDeleteRange, checkPutOptions, keyTooLarge, valueTooLarge } from './write-checks.ts';
import { checkWait, isUnhindered, isWait, reach, withOptions, writeAwaited } from './write-wait.ts';

/** Fewer keys are read one by one: there is little to wait for together. */
const MANY_MIN = 8;

export class KeyspaceHandle<K, V> implements Keyspace<K, V> {
  readonly name: string;
  readonly id: number;
  readonly #core: Session;
  readonly #tree: Tree;
  readonly #key: KeyCodec<K>;
  readonly #value: ValueCodec<V>;

  constructor(core: Session, tree: Tree, key: KeyCodec<K>, value: ValueCodec<V>) {
    this.#core = core;
    this.#tree = tree;
    this.#key = key;
    this.#value = value;
    this.name = tree.name;
    this.id = tree.id;
  }

  /** The handle behind a keyspace of this database; `KEYSPACE_FOREIGN` for any other object. */
  static of<K, V>(keyspace: Keyspace<K, V>, core: Session): KeyspaceHandle<K, V> {
    if (!(keyspace instanceof KeyspaceHandle) || keyspace.#core !== core) {
      throw invalid('KEYSPACE_FOREIGN', 'the keyspace is not one of this database; use db.keyspace(name)', {
        got: typeof keyspace,
      });
    }
    keyspace.check();
    return keyspace as KeyspaceHandle<K, V>;
  }

  get tree(): Tree {
    return this.#tree;
  }

  get codecs(): { readonly key: KeyCodec<K>; readonly value: ValueCodec<V> } {
    return { key: this.#key, value: this.#value };
  }

  put(key: K, value: V, options?: PutOptions): number;
  put(key: K, value: V, options: PutOptions & WriteWait): Promise<number>;
  put(key: K, value: V, options?: PutOptions & Partial<WriteWait>): number | Promise<number> {
    if (options === undefined) return this.#put(this.encodeKey(key), this.encodeValue(value));
    return withOptions(options, () => {
      checkPutOptions(options, true);
      const k = this.encodeKey(key);
      const v = this.encodeValue(value);
      const ttlMs = this.ttlOf(options);
      if (ttlMs === undefined) return this.#write(KIND_PUT, k, v, options);
      return this.#write(KIND_PUT_EXPIRY, k, withTtl(v, ttlMs), options);
    });
  }

  delete(key: K): number;
  delete(key: K, wait: WriteWait): Promise<number>;
  delete(key: K, wait?: WriteWait): number | Promise<number> {
    if (wait === undefined) return this.#commit(KIND_DELETE, this.encodeKey(key), EMPTY);
    return withOptions(wait, () => this.#write(KIND_DELETE, this.encodeKey(key), EMPTY, wait));
  }

  merge(key: K, operand: V): number;
  merge(key: K, operand: V, wait: WriteWait): Promise<number>;
  merge(key: K, operand: V, wait?: WriteWait): number | Promise<number> {
    if (wait === undefined) return this.#commit(KIND_MERGE, this.encodeKey(key), this.encodeOperand(operand));
    return withOptions(wait, () =>
      this.#write(KIND_MERGE, this.encodeKey(key), this.encodeOperand(operand), wait),
    );
  }

  deleteRange(range: { gte: K; lt: K }): number;
  deleteRange(range: { gte: K; lt: K }, wait: WriteWait): Promise<number>;
  deleteRange(range: { gte: K; lt: K }, wait?: WriteWait): number | Promise<number> {
    return withOptions(wait, () => this.#deleteRange(range, wait));
  }

  #deleteRange(range: { gte: K; lt: K }, wait: WriteWait | undefined): number | Promise<number> {
    const bounds = this.encodeDeleteRange(range);
    if (bounds !== undefined) return this.#write(KIND_RANGE_DELETE, bounds.from, bounds.to, wait);
    // Nothing to write, and yet refused where a write would be.
    this.check();
    this.#core.pipeline.checkWritable(0);
    if (!isWait(wait, false)) return this.#core.state.visible;
    checkWait(wait);
    return Promise.resolve(this.#core.state.visible);
  }

  putIfAbsent(key: K, value: V): boolean {
    const k = this.encodeKey(key);
    const v = this.encodeValue(value);
    this.check();
    const { state, pipeline } = this.#core;
    if (state.access !== undefined) {
      if (this.#entered(() => this.#find(k, state.visible))) return false;
      // Waits for room, if it has to, before it keeps other threads from writing.
      pipeline.admit(k.length + v.length);
    }
    return state.exclusive(() => {
      this.check();
      if (this.#find(k, state.visible)) return false;
      this.#put(k, v);
      return true;
    });
  }

  update(key: K, change: (old: V | undefined) => V | undefined): V | undefined {
    if (typeof change !== 'function') {
      throw invalid('VALUE_INVALID', `update takes a function of the old value; got ${typeof change}`, {
        got: typeof change,
      });
    }
    const k = cloneOf(this.encodeKey(key));
    this.check();
    return updateValue(this.#core.state, this.#core.pipeline, change, {
      keyBytes: k.length,
      read: () => this.#readVersion(k),
      encode: (value) => this.encodeValue(value),
      sequenceNow: () => {
        this.check();
        return this.#find(k, this.#core.state.visible) ? this.#core.found.sequence : 0;
      },
      put: (value) => void this.#put(k, value),
      delete: () => void this.#commit(KIND_DELETE, k, EMPTY),
    });
  }

  /** The value that is visible now, with its sequence, 0 when there is none. */
  #readVersion(key: Uint8Array): ReadVersion<V> {
    return this.#entered(() => {
      const { visible } = this.#core.state;
      if (!findValue(this.#tree, key, visible, this.#core.found))
        return { value: undefined, sequence: 0, visible };
      const { value, valueStart, valueEnd, sequence } = this.#core.found;
      return { value: decodeValue(this.#value, value, valueStart, valueEnd), sequence, visible };
    });
  }

  get(key: K): V | undefined {
    return this.getAt(key, undefined);
  }

  async getAsync(key: K): Promise<V | undefined> {
    const k = this.encodeKey(key);
    this.check();
    return readLater(this.#core, this.#tree, k, this.#value, this.check);
  }

  async getManyAsync(keys: readonly K[]): Promise<(V | undefined)[]> {
    this.check();
    if (!Array.isArray(keys)) throw keysInvalid('getManyAsync', keys);
    const core = this.#core;
    if (!core.reads.isUseful) return this.getMany(keys);
    // Codecs and callers may use the memory of a key again before it is read.
    const encoded = keys.map((key) => cloneOf(this.encodeKey(key)));
    return readCold(core, this.#tree, encoded, this.#value, this.check);
  }

  getMany(keys: readonly K[]): (V | undefined)[] {
    // Codecs are user code and may write between two keys: the register keeps what this sequence needs.
    const { register } = this.#core;
    const sequence = register.addVisible();
    const at: ReadPoint = { sequence, time: register.time };
    try {
      return this.getManyAt(keys, at);
    } finally {
      register.remove(at.sequence, at.time);
    }
  }

  has(key: K): boolean {
    return this.hasEncodedAt(this.encodeKey(key), undefined);
  }

  count(range: Range<K> = {}): number {
    const cursor = new RangeCursor(this.#core, this.#tree, this.bounds(range), undefined, this.check);
    try {
      let count = 0;
      while (cursor.next()) count++;
      return count;
    } finally {
      cursor.leave();
    }
  }

  async countAsync(range: Range<K> = {}, options: CountOptions = {}): Promise<number> {
    const bounds = this.bounds(range);
    this.check();
    return countRange(this.#core, this.#tree, bounds, options, this.range(range), this.check);
  }

  approximateSize(range: Range<K> = {}): number {
    const bounds = this.bounds(range);
    return this.#entered(() => approximateSize(this.#tree, bounds));
  }

  range(range: Range<K> = {}): RangeReader<K, V> {
    this.check();
    return this.rangeAt(range, undefined, this.check);
  }

  history(key: K, options: HistoryOptions = {}): KeyVersion<V>[] {
    this.check();
    return keyHistory(this.#core, this.#tree, cloneOf(this.encodeKey(key)), this.#value, options);
  }

  explain(): never {
    throw invalid('NOT_SUPPORTED_YET', 'explain comes with a later release', { method: 'explain' });
  }

  /** The value at a point, or now: what `get` and snapshots stand on. */
  getAt(key: K, at: ReadPoint | undefined): V | undefined {
    return this.getEncodedAt(this.encodeKey(key), at);
  }

  /** The same by the key's bytes. */
  getEncodedAt(key: Uint8Array, at: ReadPoint | undefined): V | undefined {
    const { access } = this.#core.state;
    if (access === undefined) return this.#read(key, at);
    access.enter();
    try {
      return this.#read(key, at);
    } finally {
      access.leave();
    }
  }

  #read(key: Uint8Array, at: ReadPoint | undefined): V | undefined {
    this.check();
    const { found, state } = this.#core;
    if (!findValue(this.#tree, key, at?.sequence ?? state.visible, found, at?.time)) return undefined;
    const { value, valueStart, valueEnd } = found;
    return decodeValue(this.#value, value, valueStart, valueEnd);
  }

  /** Runs a read while nothing that it meets goes away. */
  #entered<T>(read: () => T): T {
    return this.#core.state.entered(() => {
      this.check();
      return read();
    });
  }

  getManyAt(keys: readonly K[], at: ReadPoint): (V | undefined)[] {
    this.check();
    if (!Array.isArray(keys)) throw keysInvalid('getMany', keys);
    const { many } = this.#core;
    if (keys.length < MANY_MIN || many.isBusy) return keys.map((key) => this.getAt(key, at));
    many.isBusy = true;
    try {
      return this.#entered(() => getStaged(this, this.#tree, many, keys, at));
    } finally {
      many.release();
    }
  }

  hasEncodedAt(key: Uint8Array, at: ReadPoint | undefined): boolean {
    if (this.#core.state.access !== undefined) return this.#entered(() => this.#findAt(key, at));
    this.check();
    return this.#findAt(key, at);
  }

  /** A range at a point, or at what is visible when each iteration begins. */
  rangeAt(range: Range<K>, at: ReadPoint | undefined, check: () => void): RangeReader<K, V> {
    return rangeReader(
      this.#core,
      this.#tree,
      { key: this.#key, value: this.#value, check: this.check },
      this.bounds(range),
      at,
      check,
    );
  }

  /** The key's bytes, checked: a Uint8Array of at most 65,535 bytes. May be memory of the caller's. */
  encodeKey(key: K): Uint8Array {
    const bytes = encodeKey(this.#key, key);
    if (bytes.length > KEY_BYTES_MAX) throw keyTooLarge(this.name, bytes.length);
    return bytes;
  }

  encodeValue(value: V): Uint8Array {
    const bytes = encodeValue(this.#value, value);
    if (bytes.length > VALUE_BYTES_MAX) throw valueTooLarge(this.name, bytes.length);
    return bytes;
  }

  /** A list of one operand. @throws invalid `MERGE_OPERATOR_MISSING`, `OPERAND_INVALID` */
  encodeOperand(operand: V, options?: undefined): Uint8Array {
    checkMergeable(this.#tree, options);
    return checkedOperand(this.#tree, this.encodeValue(operand));
  }

  /** The two ends in bytes; undefined for an empty range. */
  encodeDeleteRange(range: { gte: K; lt: K }): { from: Uint8Array; to: Uint8Array } | undefined {
    checkDeleteRange(this.name, range);
    const from = this.encodeKey(range.gte);
    const to = this.encodeKey(range.lt);
    const order = compareBytes(from, to);
    if (order > 0) throw invalid('RANGE_INVALID', 'the range ends before it starts', { keyspace: this.name });
    return order === 0 ? undefined : { from, to };
  }

  #write(
    kind: number,
    key: Uint8Array,
    value: Uint8Array,
    wait: Partial<WriteWait> | undefined,
  ): number | Promise<number> {
    const isPut = kind === KIND_PUT || kind === KIND_PUT_EXPIRY;
    if (!isWait(wait, isPut)) return this.#commit(kind, key, value);
    this.check();
    checkWait(wait, isPut);
    const core = this.#core;
    if (isUnhindered(core, wait)) return reach(core, wait.durability, this.#commit(kind, key, value));
    const own = new BatchBuffer(BATCH_OVERHEAD_MAX + key.length + value.length);
    own.add(kind, this.id, key, value);
    return writeAwaited(core, own.length, wait, () => core.pipeline.commit(own));
  }

  #commit(kind: number, key: Uint8Array, value: Uint8Array): number {
    this.check();
    return this.#core.pipeline.commitOne(this.#tree, kind, key, value);
  }

  /** A put without options of its own: it expires when the keyspace says so. */
  #put(key: Uint8Array, value: Uint8Array): number {
    const { ttlMs } = this.#tree;
    if (ttlMs === undefined) return this.#commit(KIND_PUT, key, value);
    return this.#commit(KIND_PUT_EXPIRY, key, withTtl(value, ttlMs));
  }

  /** How long a put with these options lives; undefined: for good. */
  ttlOf(options: PutOptions | undefined): number | undefined {
    return options?.ttlMs ?? this.#tree.ttlMs;
  }

  #find(key: Uint8Array, sequence: number): boolean {
    return this.#tree.get(key, 0, key.length, sequence, this.#core.found);
  }

  #findAt(key: Uint8Array, at: ReadPoint | undefined): boolean {
    if (at === undefined) return this.#find(key, this.#core.state.visible);
    return this.#tree.get(key, 0, key.length, at.sequence, this.#core.found, at.time);
  }

  /** The range by bytes. */
  bounds(range: Range<K>): CursorRange {
    return encodeRange(
      range,
      (key: K) => this.encodeKey(key),
      (prefix) => keyPrefixEnd(this.#key, prefix),
    );
  }

  /** Throws `CLOSED` or `KEYSPACE_DROPPED`. */
  readonly check = (): void => {
    this.#core.state.checkOpen();
    if (this.#tree.isDropped) {
      throw invalid('KEYSPACE_DROPPED', `keyspace '${this.name}' was dropped`, { keyspace: this.name });
    }
  };
}
