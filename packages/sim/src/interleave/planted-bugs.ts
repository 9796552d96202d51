/**
 * Bugs in shared algorithms that the interleaving checker must find (CONTRACT 9): changes of the engine's sources, planted
 * like those of the simulation (planted/bugs.ts) while they are loaded.
 */
import type { PlantedBug } from '../planted/bugs.ts';

export interface InterleavedBug extends PlantedBug {
  /** Whose instances find it. */
  readonly algorithm: string;
}

export const interleavedBugs: readonly InterleavedBug[] = [
  {
    name: 'skiplist-publish-before-complete',
    algorithm: 'skiplist',
    breaks: 'an entry is linked before it leads on to the next one',
    edits: [
      {
        file: 'memtable/link.ts',
        find: '  words[entry + NEXT] = after;\n',
        replace: '',
      },
      {
        file: 'memtable/link.ts',
        find: '  words[(after === 0 ? list + HEAD : after) + BACK] = entry;',
        replace:
          '  words[entry + NEXT] = after;\n  words[(after === 0 ? list + HEAD : after) + BACK] = entry;',
      },
    ],
  },
  {
    name: 'skiplist-stale-hint',
    algorithm: 'skiplist',
    breaks: 'a link of the skiplist is changed while the hint of the one before still stands',
    edits: [
      {
        file: 'memtable/link.ts',
        find: '  Atomics.store(words, at - 1, CODE_MAX);\n',
        replace: '',
      },
    ],
  },
  {
    name: 'skiplist-no-second-look',
    algorithm: 'skiplist',
    breaks: 'a search goes on by a link and a hint without reading the link again',
    edits: [
      {
        file: 'memtable/search.ts',
        find: 'if (loadInOrder(words, link) !== after) {',
        replace: 'if (after < 0) {',
      },
      {
        file: 'memtable/search.ts',
        find: 'if (loadInOrder(words, link) !== next) continue;',
        replace: '',
      },
    ],
  },
  {
    name: 'lock-not-broken',
    algorithm: 'lock',
    breaks: 'a lock stays with a thread that died inside',
    edits: [
      {
        file: 'engine/sharing/shared-lock.ts',
        find: 'if (!isGone(this.#words, holder)) return',
        replace: 'return',
      },
    ],
  },
  {
    name: 'lock-broken-by-a-store',
    algorithm: 'lock',
    breaks: 'a lock is taken from a dead thread without looking whether somebody else was quicker',
    edits: [
      {
        file: 'engine/sharing/shared-lock.ts',
        find: 'if (Atomics.compareExchange(this.#words, this.#at, holder, this.#mine) !== holder) return',
        replace: 'if (Atomics.store(this.#words, this.#at, this.#mine) !== this.#mine) return',
      },
    ],
  },
  {
    name: 'lock-without-generation',
    algorithm: 'lock',
    breaks: 'a lock names only the slot of its holder, not which use of it',
    edits: [
      {
        file: 'engine/sharing/shared-lock.ts',
        find: '(generationOf(words, slot) << 8) | (slot + 1)',
        replace: '((generationOf(words, slot) * 0) << 8) | (slot + 1)',
      },
    ],
  },
  {
    name: 'lock-inherited-in-silence',
    algorithm: 'lock',
    breaks: 'who takes a lock over from the dead is not told',
    edits: [
      { file: 'engine/sharing/shared-lock.ts', find: "return 'inherited';", replace: "return 'taken';" },
    ],
  },
  {
    name: 'lock-record-half',
    algorithm: 'lock-records',
    breaks: 'a lock of a transaction is there before it says whose it is',
    edits: [
      {
        file: 'engine/sharing/lock-records.ts',
        find: '    words[at + OWNER] = this.use;\n',
        replace: '',
      },
      {
        file: 'engine/sharing/lock-records.ts',
        find: '    Atomics.store(words, at + STATE, isWaiting ? WAITS : IS_HELD);\n',
        replace:
          '    Atomics.store(words, at + STATE, isWaiting ? WAITS : IS_HELD);\n    words[at + OWNER] = this.use;\n',
      },
    ],
  },
  {
    name: 'lock-record-counted-late',
    algorithm: 'lock-records',
    breaks: 'a lock of a transaction is there before it is counted',
    edits: [
      {
        file: 'engine/sharing/lock-records.ts',
        find: '    Atomics.store(words, IN_USE, words[IN_USE]! + 1);\n',
        replace: '',
      },
      {
        file: 'engine/sharing/lock-records.ts',
        find: '    this.#changed(unit);\n    return unit;',
        replace:
          '    Atomics.store(words, IN_USE, words[IN_USE]! + 1);\n    this.#changed(unit);\n    return unit;',
      },
    ],
  },
  {
    name: 'lock-records-not-counted-anew',
    algorithm: 'lock-records',
    breaks: 'locks are counted as a dead thread has left the count',
    edits: [
      {
        file: 'engine/sharing/lock-records.ts',
        find: '  Atomics.store(words, IN_USE, inUse);\n',
        replace: '',
      },
    ],
  },
  {
    name: 'lock-stamp-given-twice',
    algorithm: 'lock-records',
    breaks: 'a lock gets the stamp of one whose thread died before it was counted',
    edits: [
      { file: 'engine/sharing/lock-records.ts', find: '  Atomics.add(words, CHANGES, 1);\n', replace: '' },
    ],
  },
  {
    name: 'lock-new-start-untold',
    algorithm: 'lock-records',
    breaks: 'blocks of locks are made anew, and others look for the old ones',
    edits: [
      {
        file: 'engine/sharing/lock-records.ts',
        find: '    Atomics.store(words, HIGH, 0);\n    Atomics.add(words, REBUILDS, 1);\n',
        replace: '    Atomics.store(words, HIGH, 0);\n',
      },
    ],
  },
  {
    name: 'slot-claimed-by-a-store',
    algorithm: 'slots',
    breaks: 'a slot is claimed in two steps',
    edits: [
      {
        file: 'engine/sharing/thread-slots.ts',
        find: 'if (Atomics.compareExchange(words, at + SLOT_TASK, 0, task?.number ?? UNKNOWN_TASK) !== 0) continue;',
        replace:
          'if (Atomics.load(words, at + SLOT_TASK) !== 0) continue; Atomics.store(words, at + SLOT_TASK, task?.number ?? UNKNOWN_TASK);',
      },
    ],
  },
  {
    name: 'epoch-of-a-reader-counts-as-past',
    algorithm: 'epochs',
    breaks: 'memory is used again while an operation of the same epoch may read it',
    edits: [
      {
        file: 'engine/sharing/epochs.ts',
        find: '((pinned - stamp) | 0) <= 0',
        replace: '((pinned - stamp) | 0) < 0',
      },
    ],
  },
  {
    name: 'epochs-do-not-wrap',
    algorithm: 'epochs',
    breaks: 'epochs are compared by their size, although they wrap',
    edits: [
      { file: 'engine/sharing/epochs.ts', find: '((pinned - stamp) | 0) <= 0', replace: 'pinned <= stamp' },
    ],
  },
  {
    name: 'pinned-too-late',
    algorithm: 'epochs',
    breaks: 'a reader does not say that it reads',
    edits: [
      {
        file: 'engine/sharing/epochs.ts',
        find: 'Atomics.store(words, slotAt(slot) + SLOT_PIN, loadInOrder(words, EPOCH));',
        replace: 'Atomics.store(words, slotAt(slot) + SLOT_PIN, loadInOrder(words, EPOCH) + 1);',
      },
    ],
  },
  {
    name: 'sequence-torn',
    algorithm: 'sequence',
    breaks: 'the high word of a sequence is read before the low one',
    edits: [
      {
        file: 'engine/sharing/sequence-words.ts',
        find: '  const low = loadInOrder(words, at + 1);\n  const high = loadInOrder(words, at);',
        replace: '  const high = loadInOrder(words, at);\n  const low = loadInOrder(words, at + 1);',
      },
    ],
  },
  {
    name: 'register-not-checked-again',
    algorithm: 'register',
    breaks: 'a reader registers its sequence and does not look whether a job has passed it meanwhile',
    edits: [
      {
        file: 'engine/sharing/shared-register.ts',
        find: 'if (loadSequence(this.#control, JOB_FLOOR) <= sequence && this.#clock.last <= time)',
        replace: 'if (this.#clock.last <= time)',
      },
    ],
  },
  {
    name: 'register-time-not-checked-again',
    algorithm: 'register',
    breaks:
      'a reader registers its time and does not look whether the clock of a job has passed it meanwhile',
    edits: [
      {
        file: 'engine/sharing/shared-register.ts',
        find: 'if (loadSequence(this.#control, JOB_FLOOR) <= sequence && this.#clock.last <= time)',
        replace: 'if (loadSequence(this.#control, JOB_FLOOR) <= sequence)',
      },
    ],
  },
  {
    name: 'floor-not-published',
    algorithm: 'register',
    breaks: 'a job reads the register before it publishes its floor',
    edits: [
      {
        file: 'engine/sharing/shared-register.ts',
        find: '    storeSequence(this.#control, JOB_FLOOR, floor);\n',
        replace: '',
      },
    ],
  },
  {
    name: 'view-older-than-its-sequence',
    algorithm: 'commit',
    breaks: 'a reader takes its views, and then a sequence that they do not reach',
    edits: [
      {
        file: 'engine/sharing/thread-access.ts',
        find: 'if (loadInOrder(control, GENERATION) === this.#generation) return sequence;\n      this.#follow();',
        replace: 'return sequence;',
      },
    ],
  },
  {
    name: 'publish-before-apply',
    algorithm: 'commit',
    breaks: 'a batch is visible before it is in the memtable',
    edits: [
      {
        file: 'engine/commit-pipeline.ts',
        find: 'add(tree, memtable, operation, sequence);\n    state.visible = sequence;',
        replace: 'state.visible = sequence;\n    add(tree, memtable, operation, sequence);',
      },
    ],
  },
  {
    name: 'no-redo',
    algorithm: 'commit',
    breaks: 'who takes the lock over from a dead writer does not complete its batch',
    edits: [
      {
        file: 'engine/sharing/redo.ts',
        find: 'if (lastSequence <= loadSequence(control, VISIBLE)) return false;',
        replace: 'if (lastSequence >= 0) return false;',
      },
    ],
  },
  {
    name: 'redo-without-apply',
    algorithm: 'commit',
    breaks: 'the batch of a dead writer is published as it is',
    edits: [
      {
        file: 'engine/sharing/redo.ts',
        find: 'memtable?.add(lastSequence, kind, bytes, keyStart, keyEnd, bytes, valueStart, valueEnd);',
        replace: 'void [memtable, kind, keyStart, keyEnd, valueStart, valueEnd];',
      },
    ],
  },
  {
    name: 'tail-in-place',
    algorithm: 'commit',
    breaks: 'the end of the log is changed in place, so that a dead writer leaves half of it',
    edits: [
      {
        file: 'wal/shared-tail.ts',
        find: 'const other = 1 - Atomics.load(this.#selector, 0);',
        replace: 'const other = Atomics.load(this.#selector, 0);',
      },
    ],
  },
  {
    name: 'generation-left-odd',
    algorithm: 'commit',
    breaks: 'a change of views that a dead writer had begun is not ended',
    edits: [
      {
        file: 'engine/sharing/thread-access.ts',
        find: 'if ((generation & 1) !== 0) Atomics.store(control, GENERATION, (generation + 1) | 0);',
        replace: '',
      },
    ],
  },
  {
    name: 'cache-slot-used-while-read',
    algorithm: 'cache',
    breaks: 'a slot of the block cache is used again while somebody may read in it',
    edits: [
      {
        file: 'cache/slot-pages.ts',
        find: 'const isFree = this.#isPast(this.#stamps[this.#lists.first(waiting)]!);',
        replace: 'const isFree = true;',
      },
    ],
  },
  {
    name: 'cache-linked-before-filled',
    algorithm: 'cache',
    breaks: 'a block can be found in the cache before its bytes are there',
    edits: [
      {
        file: 'cache/block-cache.ts',
        find: '    this.memory.set(bytes.subarray(start, start + length), slot * SLOT_BYTES);\n',
        replace: '',
      },
      {
        file: 'cache/block-cache.ts',
        find: '    this.#index.link(slot);\n',
        replace:
          '    this.#index.link(slot);\n    this.memory.set(bytes.subarray(start, start + length), slot * SLOT_BYTES);\n',
      },
    ],
  },
  {
    name: 'cache-believed-after-a-death',
    algorithm: 'cache',
    breaks: 'the tables of the cache are believed although who changed them died in the middle',
    edits: [
      {
        file: 'cache/block-cache.ts',
        find: "if (lock === 'inherited') this.startOver();",
        replace: '',
      },
    ],
  },
  {
    name: 'memtable-given-back-while-read',
    algorithm: 'views',
    breaks: 'a memtable is given back although a reader may have found it',
    edits: [
      {
        file: 'engine/sharing/epochs.ts',
        find: '((pinned - stamp) | 0) <= 0',
        replace: '((pinned - stamp) | 0) < 0',
      },
    ],
  },
];
