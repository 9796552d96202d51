/** What an inventory asks of the place where it is kept. stored-inventory.ts has one; any thread. */
import type { Database } from '../index.ts';
import type { FrozenInventory, Xid } from './types.ts';

/** All calls come before the change that they tell of can be seen. */
export interface InventoryStore {
  readonly home: Database;
  /** That xids up to `xid` are in use. */
  reserve(xid: Xid): void;
  commit(xid: Xid): void;
  /** That a commit which a dead thread may have told of is none. */
  revoke(xid: Xid): void;
  reached(durability: 'os' | 'disk'): Promise<void>;
  /** That all below `base` are settled. */
  trim(base: Xid): void;
  /** How far which index is settled, by its id (horizons.ts). */
  settled(): Iterable<[string, Xid]>;
  settle(id: string, horizon: Xid | undefined): void;
  /** Is every commit on disk that anybody has seen before this call? */
  isDurable(): boolean;
  /** A frozen copy of which every commit is on disk. */
  durable(take: () => FrozenInventory): Promise<FrozenInventory>;
  /** Has the thread the database open? */
  isRunning(id: number): boolean;
}
