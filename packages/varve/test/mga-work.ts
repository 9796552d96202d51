/** What a thread does with an index that others work on too: rows of its own under keys of all, and a unique key that all want. */
import { type Database, utf8, VarveError } from 'varve';
import { type MgaIndex, openInventory, openMgaIndex } from 'varve/mga';
import { Random } from 'varve/testing';

export interface Worked {
  /** Rows of this thread that its transactions have left, `key tid`. */
  readonly rows: string[];
  /** Unique keys that it has got. */
  readonly won: string[];
}

export const SHARED_KEYS = ['a', 'b', 'c'];

/** Runs it in a transaction; again when the index is being rebuilt. */
async function transact<T>(run: () => T): Promise<T> {
  for (;;) {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof VarveError) || error.kind !== 'busy') throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

export async function work(
  db: Database,
  buffer: SharedArrayBuffer | undefined,
  thread: number,
  count: number,
): Promise<Worked> {
  const inventory = await openInventory(db, buffer === undefined ? {} : { buffer });
  const index: MgaIndex<string> = await openMgaIndex(db, 'shared', { key: utf8, inventory });
  const unique: MgaIndex<string> = await openMgaIndex(db, 'unique', { key: utf8, inventory });
  const random = new Random(thread);
  const rows = new Set<string>();
  const won: string[] = [];
  for (let i = 0; i < count; i++) {
    const xid = inventory.begin();
    const key = random.pick(SHARED_KEYS);
    const tid = thread * 1000 + random.below(20);
    const row = `${key} ${tid}`;
    const hadRow = rows.has(row);
    await transact(() => (hadRow ? index.remove(key, tid, xid) : index.put(key, tid, xid)));
    // What it has put itself it sees, whatever others and vacuums do.
    if (index.get(key, xid).includes(tid) === hadRow)
      throw new Error(`${row} is ${hadRow ? 'there' : 'gone'}`);
    const wanted = `u${i}`;
    const isMine = await transact(() => {
      try {
        unique.put(wanted, thread, xid);
        return true;
      } catch (error) {
        if (error instanceof VarveError && error.kind === 'conflict') return false;
        throw error;
      }
    });
    if (random.oneIn(4)) inventory.abort(xid);
    else {
      inventory.commit(xid);
      if (hadRow) rows.delete(row);
      else rows.add(row);
      if (isMine) won.push(wanted);
    }
    if (i % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { rows: [...rows], won };
}
