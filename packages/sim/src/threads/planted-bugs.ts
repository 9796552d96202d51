/**
 * Bugs of a shared database that real threads must meet, planted like those of the simulation (planted/bugs.ts). More of them
 * are found step by step by the interleaving checker; these show that the rig sees what such a bug does to a database. Each is
 * found within the first 60 rounds from seed 1, with 3 workers, of
 *
 *   PLANTED_BUG=NAME node --conditions=varve-source --import ./packages/sim/src/planted/register.ts packages/sim/src/main.ts threads
 */
import type { PlantedBug } from '../planted/bugs.ts';

export const threadBugs: readonly PlantedBug[] = [
  {
    name: 'threads-views-not-followed',
    breaks: 'a thread goes on with the views that it began with',
    edits: [
      {
        file: 'engine/sharing/thread-access.ts',
        find: 'if (loadInOrder(control, GENERATION) !== this.#generation) this.#follow();\n    } catch',
        replace: 'if (this.#generation === 0) this.#follow();\n    } catch',
      },
    ],
  },
  {
    name: 'threads-batch-visible-early',
    breaks: 'a batch is visible before it is in the memtables',
    edits: [
      {
        file: 'engine/commit-pipeline.ts',
        find: 'else applyBatch(state, this.#reader, batch.bytes, 0, batch.length, sequence);\n    state.visible = sequence;',
        replace:
          'else {\n state.visible = sequence; applyBatch(state, this.#reader, batch.bytes, 0, batch.length, sequence); }\n    state.visible = sequence;',
      },
    ],
  },
  {
    name: 'threads-lock-kept-by-the-dead',
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
    name: 'threads-reused-while-read',
    breaks: 'memory is used again while an operation may read it',
    edits: [
      {
        file: 'engine/sharing/epochs.ts',
        find: '((pinned - stamp) | 0) <= 0',
        replace: 'pinned === -stamp',
      },
    ],
  },
  {
    name: 'threads-no-redo',
    breaks: 'the batch of a writer that died is not completed',
    edits: [
      {
        file: 'engine/sharing/redo.ts',
        find: 'memtable?.add(lastSequence, kind, bytes, keyStart, keyEnd, bytes, valueStart, valueEnd);',
        replace: 'void [memtable, kind, keyStart, keyEnd, valueStart, valueEnd];',
      },
    ],
  },
  {
    name: 'threads-slot-never-freed',
    breaks: 'what a dead thread holds is not given up',
    edits: [
      {
        file: 'engine/sharing/owner.ts',
        find: 'if (slot !== OWNER_SLOT && isSlotDead(this.#control, slot, isThorough)) this.#reap(slot);',
        replace: 'void [slot, isThorough];',
      },
    ],
  },
];
