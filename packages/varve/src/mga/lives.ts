/**
 * What writers and collections make of the lives of an entry: pure functions over lists, the newest life first.
 *
 * A life of which the xmin was rolled back never was; an xmax that was rolled back is none. A life that was removed by a transaction
 * below the oldest active one is seen by nobody any more. Writers, the compaction filter and vacuum prune by the same rule.
 */
import { equalBytes } from '../base/bytes.ts';
import { invalid, type VarveError } from '../base/errors.ts';
import type { Life } from './entry-format.ts';
import type { FrozenInventory, Tid, Xid } from './types.ts';
import { entryConflict } from './xids.ts';

/** How transactions have ended, as far as that is known. 0 is committed. */
export interface Outcomes {
  isCommitted(xid: Xid): boolean;
  isAborted(xid: Xid): boolean;
  readonly oldestActive: Xid;
}

/** Outcomes of transactions below the oldest active one; of others nothing is known. */
export function settledBy({ oldestActive, aborted }: FrozenInventory): Outcomes {
  const set = new Set(aborted);
  return {
    oldestActive,
    isCommitted: (xid) => xid < oldestActive && !set.has(xid),
    isAborted: (xid) => set.has(xid),
  };
}

/** Takes out what nobody can see. With `freezes`, an xmin that everybody sees becomes 0. Has it changed anything? */
export function prune(lives: Life[], outcomes: Outcomes, freezes: boolean): boolean {
  const before = lives.length;
  let kept = 0;
  let hasChanged = false;
  const { oldestActive } = outcomes;
  for (const life of lives) {
    const { xmin, xmax } = life;
    if (outcomes.isAborted(xmin)) continue;
    if (xmax !== 0) {
      if (outcomes.isAborted(xmax)) {
        life.xmax = 0;
        hasChanged = true;
      } else if (xmax < oldestActive && outcomes.isCommitted(xmax)) continue;
    }
    if (freezes && xmin !== 0 && xmin < oldestActive && outcomes.isCommitted(xmin)) {
      life.xmin = 0;
      hasChanged = true;
    }
    lives[kept++] = life;
  }
  lives.length = kept;
  return hasChanged || kept !== before;
}

/** A row comes to the key. False: it is there already, and nothing changes. The lives are pruned. */
export function putLife(lives: Life[], tid: Tid, xid: Xid, payload: Uint8Array, outcomes: Outcomes): boolean {
  const newest = lives[0];
  const life = { xmin: xid, xmax: 0, payload };
  if (newest === undefined) {
    lives.push(life);
    return true;
  }
  const { xmin, xmax } = newest;
  if (xmin !== xid && !(xmin < xid && outcomes.isCommitted(xmin))) {
    throw entryConflict('put', tid, xid, xmin);
  }
  if (xmax !== 0 && xmax !== xid) {
    if (xmax > xid || !outcomes.isCommitted(xmax)) throw entryConflict('removed', tid, xid, xmax);
    lives.unshift(life);
    return true;
  }
  if (equalBytes(newest.payload, payload)) {
    newest.xmax = 0;
    return xmax !== 0;
  }
  if (xmin === xid) {
    lives[0] = life;
    return true;
  }
  newest.xmax = xid;
  lives.unshift(life);
  return true;
}

/** A row leaves the key. The lives are pruned. */
export function removeLife(lives: Life[], tid: Tid, xid: Xid, outcomes: Outcomes): void {
  const at = lives.findIndex(({ xmin }) => xmin === xid || (xmin < xid && outcomes.isCommitted(xmin)));
  const life = lives[at];
  if (life === undefined) throw notFound(tid, xid);
  const { xmin, xmax } = life;
  if (xmax !== 0) {
    if (xmax === xid || (xmax < xid && outcomes.isCommitted(xmax))) throw notFound(tid, xid);
    throw entryConflict('removed', tid, xid, xmax);
  }
  // Nobody else has seen a life that begins and ends in one transaction.
  if (xmin === xid) lives.splice(at, 1);
  else life.xmax = xid;
}

export function notFound(tid: Tid, xid: Xid): VarveError {
  const message = `transaction ${xid} sees no entry of row ${tid} at that key`;
  return invalid('ENTRY_NOT_FOUND', message, { tid, xid });
}
