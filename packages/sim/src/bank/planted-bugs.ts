/** Bugs that the bank must find; see planted/bugs.ts. */
import type { PlantedBug } from '../planted/bugs.ts';

export const bankBugs: readonly PlantedBug[] = [
  {
    name: 'bank-prepared-not-locked',
    breaks: 'what a prepared transaction relies on is not locked',
    edits: [
      {
        file: 'transaction/prepared-transactions.ts',
        find: 'this.#locks.lockAll(owner, spans);',
        replace: '',
      },
    ],
  },
  {
    name: 'bank-recovered-not-locked',
    breaks: 'a prepared transaction has no locks after a reopening',
    edits: [
      {
        file: 'transaction/prepared-transactions.ts',
        find: 'this.#locks.lockAll(owner, there, true);',
        replace: 'void there;',
      },
    ],
  },
  {
    name: 'bank-commit-not-replayed',
    breaks: 'the commit of a prepared transaction is not replayed',
    edits: [
      {
        file: 'engine/recovery.ts',
        find: 'if (batchStart !== undefined && batchStart < end)',
        replace: 'if (batchStart === -1)',
      },
    ],
  },
  {
    name: 'bank-prepared-log-released',
    breaks: 'the log is let go of although a prepared transaction stands in it',
    edits: [
      {
        file: 'engine/housekeeping.ts',
        find: 'for (const { sequence } of state.prepared.values()) floor = Math.min(floor, sequence - 1);',
        replace: '',
      },
    ],
  },
  {
    name: 'bank-past-dropped',
    breaks: 'jobs keep nothing of the past',
    edits: [
      {
        file: 'engine/history.ts',
        find: 'floor: Math.min(floor, start.sequence)',
        replace: 'floor',
      },
    ],
  },
];
