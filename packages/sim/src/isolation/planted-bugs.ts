/** Bugs that the isolation checker must find; see planted/bugs.ts. */
import type { PlantedBug } from '../planted/bugs.ts';

export const isolationBugs: readonly PlantedBug[] = [
  {
    name: 'skip-read-validation',
    breaks: 'a serializable commit does not look at what it has read',
    edits: [
      {
        file: 'transaction/transaction-life.ts',
        find: 'writes.changedSince(state.trees, sequence) ?? reads.changedSince(sequence)',
        replace: 'writes.changedSince(state.trees, sequence)',
      },
    ],
  },
  {
    name: 'skip-write-validation',
    breaks: 'a commit does not look at the keys that it writes',
    edits: [
      {
        file: 'transaction/transaction-life.ts',
        find: 'writes.changedSince(state.trees, sequence) ?? reads.changedSince(sequence)',
        replace: 'reads.changedSince(sequence)',
      },
    ],
  },
  {
    name: 'validate-without-ranges',
    breaks: 'ranges that were read are not looked at: phantoms',
    edits: [
      {
        file: 'transaction/read-set.ts',
        find: 'const changed = rangeChangedSince(tree, { lower, upper }, sequence);',
        replace: 'const changed = undefined as ReturnType<typeof rangeChangedSince>;',
      },
    ],
  },
  {
    name: 'validate-without-range-deletes',
    breaks: 'a range delete does not count as a write of its keys',
    edits: [
      {
        file: 'engine/changed-since.ts',
        find: 'see(source.coveringSequence(key, start, end, EVERYTHING));',
        replace: '',
      },
    ],
  },
  {
    name: 'narrow-too-far',
    breaks: 'a range that was left early is taken as not read',
    edits: [
      {
        file: 'transaction/transaction-range.ts',
        find: 'if (!this.#hasShown) read.isNothing = true;',
        replace: 'if (this.#hasShown) read.isNothing = true;',
      },
    ],
  },
  {
    name: 'sees-unwritten-state',
    breaks: 'a transaction is given a state of which the last write is not there yet',
    edits: [
      {
        file: 'transaction/transaction-life.ts',
        find: 'this.#sequence = core.register.addVisible();',
        replace: 'this.#sequence = core.register.addVisible() + 1;',
      },
    ],
  },
  {
    name: 'savepoint-keeps-range-deletes',
    breaks: 'a range delete that was undone still hides keys',
    edits: [
      {
        file: 'transaction/write-set.ts',
        find: 'this.#rangeDeletes = this.#rangeDeletes.filter((operation) => operation < mark.operations);',
        replace: '',
      },
    ],
  },
  {
    name: 'forget-own-range-deletes',
    breaks: 'a range shows what the transaction itself has deleted',
    edits: [
      {
        file: 'transaction/transaction-range.ts',
        find: 'return !this.#overlay.covers(this.#base.key);',
        replace: 'return true;',
      },
    ],
  },
  {
    name: 'large-committed-unseen',
    breaks:
      'a transaction that is larger than a batch does not look at what was written while its tables were',
    edits: [{ file: 'engine/ingest/ingestions.ts', find: 'request.validate?.();', replace: '' }],
  },
];
