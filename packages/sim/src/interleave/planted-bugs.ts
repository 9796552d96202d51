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
];
