/**
 * What the floors above the engine bring to an open database, handed down by the package entries, so that the engine does
 * not import upwards.
 */
import type { UpperFloors } from './engine/database.ts';
import { diff } from './history/diff.ts';
import { ChangeFeedTable } from './history/change-feeds.ts';
import { checkpoint } from './maintenance/checkpoint.ts';
import { verify } from './maintenance/verify.ts';
import { TransactionTable } from './transaction/transactions.ts';

export const upperFloors: UpperFloors = {
  verify,
  checkpoint,
  diff,
  transactions: (session) => new TransactionTable(session),
  changes: (core) => new ChangeFeedTable(core),
};
