/**
 * Varve behind the seam of the workloads. Plain puts are visible at once and handed to the system once a turn of the
 * event loop or per 64 KB ('tick'); with 'put' every single put is handed over by a call of its own.
 */
import type { Batch, Bytes, Cursor, Database, Keyspace } from 'varve';
import { counted, type Scan, type ScanForm, type Store, type Writes } from './store.ts';

/** When a single put is handed to the system. */
export type HandOver = 'tick' | 'put';

const DISK = { durability: 'disk' } as const;

export class VarveStore implements Store {
  readonly settings: readonly string[];
  readonly getBorrowed = undefined;
  readonly #db: Database;
  readonly #keyspace: Keyspace<Bytes, Bytes>;
  readonly #batch: Batch;
  readonly #handOver: HandOver;

  constructor(
    db: Database,
    keyspace: Keyspace<Bytes, Bytes>,
    handOver: HandOver = 'tick',
    settings: readonly string[] = [],
  ) {
    this.#db = db;
    this.#keyspace = keyspace;
    this.#batch = db.batch();
    this.#handOver = handOver;
    this.settings = settings;
  }

  get shared(): unknown {
    return this.#db.share();
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#keyspace.put(key, value);
  }

  putEach({ keys, values, count }: Writes): void {
    const keyspace = this.#keyspace;
    if (this.#handOver === 'put') {
      const db = this.#db;
      for (let i = 0; i < count; i++) {
        keyspace.put(keys[i]!, values[i]!);
        db.syncNow('os');
      }
      return;
    }
    for (let i = 0; i < count; i++) keyspace.put(keys[i]!, values[i]!);
  }

  putBatch({ keys, values, count }: Writes): void {
    const batch = this.#batch;
    const keyspace = this.#keyspace;
    for (let i = 0; i < count; i++) batch.put(keyspace, keys[i]!, values[i]!);
    this.#db.write(batch);
  }

  async putSynced(key: Uint8Array, value: Uint8Array): Promise<void> {
    await this.#keyspace.put(key, value, DISK);
  }

  deleteEach({ keys, count }: Writes): void {
    const keyspace = this.#keyspace;
    for (let i = 0; i < count; i++) {
      keyspace.delete(keys[i]!);
      if (this.#handOver === 'put') this.#db.syncNow('os');
    }
  }

  deleteBatch({ keys, count }: Writes): void {
    const batch = this.#batch;
    for (let i = 0; i < count; i++) batch.delete(this.#keyspace, keys[i]!);
    this.#db.write(batch);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#keyspace.get(key);
  }

  getMany(keys: Uint8Array[]): number {
    let found = 0;
    for (const value of this.#keyspace.getMany(keys)) if (value !== undefined) found++;
    return found;
  }

  scan(reverse: boolean, form: ScanForm): Scan {
    const range = this.#keyspace.range({ reverse });
    return form === 'cursor' ? new CursorScan(range.cursor()) : new ObjectScan(range[Symbol.iterator]());
  }

  seekScan(key: Uint8Array, count: number, form: ScanForm): number {
    return form === 'cursor' ? this.#seekByCursor(key, count) : this.#seekByObjects(key, count);
  }

  #seekByCursor(key: Uint8Array, count: number): number {
    const cursor = this.#keyspace.range().cursor();
    let read = 0;
    let bytes = 0;
    for (let more = cursor.seek(key); more; more = cursor.next()) {
      bytes += cursor.key.length + cursor.value.length;
      if (++read === count) break;
    }
    cursor.close();
    return counted(read, bytes);
  }

  #seekByObjects(key: Uint8Array, count: number): number {
    let read = 0;
    let bytes = 0;
    for (const [found, value] of this.#keyspace.range({ gte: key, limit: count })) {
      bytes += found.length + value.length;
      read++;
    }
    return counted(read, bytes);
  }

  async sync(): Promise<void> {
    await this.#db.sync('os');
  }

  async flush(): Promise<void> {
    await this.#db.flush();
  }

  async compact(): Promise<void> {
    await this.#db.flush();
    await this.#db.compact();
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}

class CursorScan implements Scan {
  readonly #cursor: Cursor;
  #bytes = 0;

  constructor(cursor: Cursor) {
    this.#cursor = cursor;
  }

  next(count: number): number {
    const cursor = this.#cursor;
    let bytes = 0;
    let read = 0;
    while (read < count && cursor.next()) {
      bytes += cursor.key.length + cursor.value.length;
      read++;
    }
    this.#bytes += bytes;
    return read;
  }

  close(): void {
    this.#cursor.close();
    counted(0, this.#bytes);
  }
}

/** Manual steps of the iterator that `for (const [key, value] of range)` would take, since a `for` cannot be resumed. */
class ObjectScan implements Scan {
  readonly #iterator: Iterator<[Bytes, Bytes]>;
  #bytes = 0;

  constructor(iterator: Iterator<[Bytes, Bytes]>) {
    this.#iterator = iterator;
  }

  next(count: number): number {
    const iterator = this.#iterator;
    let bytes = 0;
    let read = 0;
    while (read < count) {
      const step = iterator.next();
      if (step.done === true) break;
      const [key, value] = step.value;
      bytes += key.length + value.length;
      read++;
    }
    this.#bytes += bytes;
    return read;
  }

  close(): void {
    this.#iterator.return?.();
    counted(0, this.#bytes);
  }
}
