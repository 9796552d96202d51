/**
 * How far each index of an inventory is settled: below its horizon none of its entries carries a rolled-back xid that a reader may
 * meet. The inventory forgets below the lowest one, so it has to know every index whose entries may carry its xids, open or not:
 *
 *   id                     index                                            known
 *   's', name              of the database that keeps the inventory         as long as it is there
 *   'x', random, '/', name  of another database with files                  by all processes, until it is dropped or moved away
 *   'm', number, '/', name  of a database in memory, or of an inventory      in this process, in memory until the database is closed
 *                          that no database keeps
 *
 * Without a store nobody knows of indexes that have not been opened: then nothing is forgotten until all that the databases have are
 * here. One object of an inventory; used by the thread that opened the databases.
 */
import type { Database } from '../index.ts';
import { recordsOf } from './index-records.ts';
import type { InventoryStore } from './inventory-store.ts';
import type { Xid } from './types.ts';

export const HOME = 's';
export const FOREIGN = 'x';
const HERE = 'm';

/** What an id is made of. */
export interface Enrolled {
  readonly db: Database;
  readonly name: string;
  /** Random, of the index's record. */
  readonly id: string | undefined;
}

const numbers = new WeakMap<Database, number>();
let last = 0;

/** Does the database have files? One on a file system in memory counts as one in memory. */
export function hasFiles({ path }: Database): boolean {
  return path !== ':memory:';
}

export function idOf({ db, name, id }: Enrolled, home: Database | undefined): string {
  if (home === db) return HOME + name;
  if (home !== undefined && id !== undefined && hasFiles(db)) return `${FOREIGN}${id}/${name}`;
  return hereId(db, name);
}

function hereId(db: Database, name: string): string {
  let number = numbers.get(db);
  if (number === undefined) numbers.set(db, (number = ++last));
  return `${HERE}${number}/${name}`;
}

/** The name of the index. */
export function nameOf(id: string): string {
  return id.slice(id.startsWith(HOME) ? 1 : id.indexOf('/') + 1);
}

export class Horizons {
  readonly #store: InventoryStore | undefined;
  readonly #settled: Map<string, Xid>;
  /** Of what is known in this process alone. */
  readonly #databases = new Map<string, WeakRef<Database>>();

  constructor(store: InventoryStore | undefined) {
    this.#store = store;
    this.#settled = new Map(store?.settled());
  }

  has(index: Enrolled): boolean {
    return this.#settled.has(this.#id(index));
  }

  settle(index: Enrolled, horizon: Xid): void {
    const id = this.#id(index);
    if (!id.startsWith(HERE)) this.#store?.settle(id, horizon);
    else if (!this.#databases.has(id)) this.#databases.set(id, new WeakRef(index.db));
    this.#settled.set(id, horizon);
  }

  /** The index is no more. What can not be written is found again when the inventory is loaded. */
  forget(index: Enrolled): void {
    const id = this.#id(index);
    this.#settled.delete(id);
    this.#databases.delete(id);
    if (id.startsWith(HERE)) return;
    try {
      this.#store?.settle(id, undefined);
    } catch {
      // The database says so to whoever writes next.
    }
  }

  /** Where the inventory may forget up to; undefined: not known. */
  lowest(): Xid | undefined {
    if (!this.#knowsAll()) return undefined;
    const lowest = Math.min(...this.#settled.values());
    return Number.isFinite(lowest) ? lowest : undefined;
  }

  /** The name of an index that is settled no further than `base`. */
  holderOf(base: Xid): string | undefined {
    const held = [...this.#settled].find(([, horizon]) => horizon <= base);
    return held === undefined ? undefined : nameOf(held[0]);
  }

  #id(index: Enrolled): string {
    return idOf(index, this.#store?.home);
  }

  /** Forgets databases in memory that are closed, on the way. */
  #knowsAll(): boolean {
    let knowsAll = true;
    const seen = new Set<Database>();
    for (const [id, reference] of this.#databases) {
      const db = reference.deref();
      if (db === undefined || isClosed(db)) {
        if (db === undefined || !hasFiles(db)) {
          this.#databases.delete(id);
          this.#settled.delete(id);
        } else knowsAll = false;
      } else if (!seen.has(db)) {
        seen.add(db);
        if (this.#store === undefined && !this.#hasAllOf(db)) knowsAll = false;
      }
    }
    return knowsAll;
  }

  #hasAllOf(db: Database): boolean {
    for (const name of recordsOf(db).range().keys()) if (!this.#settled.has(hereId(db, name))) return false;
    return true;
  }
}

function isClosed(db: Database): boolean {
  try {
    db.keyspaces();
    return false;
  } catch {
    return true;
  }
}
