/**
 * The operations of a write set in key order, for the ranges of its transaction: of each key the newest one, unless a later range
 * delete of the transaction covers it. Made when a range is asked for, and from then on brought up to date by what was
 * written since: who writes and walks in turn does not pay for all that was written each time.
 */
import { compareRanges } from '../base/bytes.ts';
import { KIND_RANGE_DELETE } from '../base/kinds.ts';

/** What is looked at of a write set (write-set.ts); positions are those of its operations. */
export interface OrderedWrites {
  readonly count: number;
  readonly batch: { readonly bytes: Uint8Array };
  kindOf(operation: number): number;
  keyspaceOf(operation: number): number;
  keyStart(operation: number): number;
  keyEnd(operation: number): number;
  valueStart(operation: number): number;
  valueEnd(operation: number): number;
  find(keyspace: number, key: Uint8Array): number;
}

/** So many new operations, and an eighth of what is in order, are put in their places one by one; of more all are sorted anew. */
const FEW = 64;
const SHARE = 8;

export class WriteOrder {
  readonly #writes: OrderedWrites;
  /** By keyspace. */
  readonly #orders = new Map<number, number[]>();
  #seen = 0;

  constructor(writes: OrderedWrites) {
    this.#writes = writes;
  }

  /** Those on keys of [lower, upper), a copy. */
  within(keyspace: number, lower: Uint8Array | undefined, upper: Uint8Array | undefined): number[] {
    this.#follow();
    const order = this.#orders.get(keyspace);
    if (order === undefined) return [];
    const from = lower === undefined ? 0 : this.#placeOf(order, lower, 0, lower.length);
    const to = upper === undefined ? order.length : this.#placeOf(order, upper, 0, upper.length);
    return order.slice(from, to);
  }

  #follow(): void {
    const { count } = this.#writes;
    if (count - this.#seen > FEW + this.#seen / SHARE) this.#sort();
    else for (let operation = this.#seen; operation < count; operation++) this.#put(operation);
    this.#seen = count;
  }

  #sort(): void {
    const writes = this.#writes;
    const { count } = writes;
    const { bytes } = writes.batch;
    this.#orders.clear();
    for (let operation = 0; operation < count; operation++) {
      if (writes.kindOf(operation) === KIND_RANGE_DELETE) continue;
      const keyspace = writes.keyspaceOf(operation);
      const key = bytes.subarray(writes.keyStart(operation), writes.keyEnd(operation));
      // Not older operations on the key, and not what a later range delete took.
      if (writes.find(keyspace, key) === operation) this.#orderOf(keyspace).push(operation);
    }
    const compare = (a: number, b: number): number =>
      compareRanges(bytes, writes.keyStart(a), writes.keyEnd(a), bytes, writes.keyStart(b), writes.keyEnd(b));
    for (const order of this.#orders.values()) order.sort(compare);
  }

  #put(operation: number): void {
    const writes = this.#writes;
    const { bytes } = writes.batch;
    const order = this.#orderOf(writes.keyspaceOf(operation));
    const [start, end] = [writes.keyStart(operation), writes.keyEnd(operation)];
    const at = this.#placeOf(order, bytes, start, end);
    if (writes.kindOf(operation) === KIND_RANGE_DELETE) {
      const to = this.#placeOf(order, bytes, writes.valueStart(operation), writes.valueEnd(operation));
      if (to > at) order.splice(at, to - at);
      return;
    }
    const isThere = at < order.length && this.#compare(order[at]!, bytes, start, end) === 0;
    if (isThere) order[at] = operation;
    else order.splice(at, 0, operation);
  }

  #orderOf(keyspace: number): number[] {
    let order = this.#orders.get(keyspace);
    if (order === undefined) this.#orders.set(keyspace, (order = []));
    return order;
  }

  /** Of the first operation at or behind the key. */
  #placeOf(order: readonly number[], key: Uint8Array, start: number, end: number): number {
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(order[middle]!, key, start, end) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(operation: number, key: Uint8Array, start: number, end: number): number {
    const writes = this.#writes;
    const { bytes } = writes.batch;
    return compareRanges(bytes, writes.keyStart(operation), writes.keyEnd(operation), key, start, end);
  }
}
