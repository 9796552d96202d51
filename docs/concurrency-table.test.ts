/**
 * The layout tables of docs/internals/concurrency.md have exactly the words that the code has. A table belongs to the source file
 * that is named last before it; its first column names words in code marks.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const document = read('docs/internals/concurrency.md');
const sources = 'packages/varve/src';

interface Layout {
  readonly path: string;
  /** The words are the fields of this class; without one the constants in capitals. */
  readonly fieldsOf?: string;
  /** Constants that are no words: sizes, limits, values of words. */
  readonly others: readonly string[];
}

const layouts: readonly Layout[] = [
  {
    path: `${sources}/engine/sharing/control-words.ts`,
    others: [
      'FLAG_CLOSED',
      'FLAG_POISONED',
      'FLAG_OWNER_GONE',
      'SLOTS_AT',
      'SLOT_WORDS',
      'SLOTS_MAX',
      'UNKNOWN_TASK',
      'CONTROL_WORDS',
    ],
  },
  {
    path: `${sources}/engine/sharing/keyspace-words.ts`,
    others: ['ROW_WORDS', 'ROWS_MAX', 'KEYSPACE_WORDS'],
  },
  {
    path: `${sources}/engine/sharing/lock-records.ts`,
    others: [
      'CLASSES',
      'RING_WORDS',
      'BLOCKS',
      'UNIT_WORDS',
      'HEAD_WORDS',
      'LOW',
      'IS_FREE',
      'IS_HELD',
      'WAITS',
      'UNITS',
      'LOCK_WORDS',
      'NOTHING',
    ],
  },
  { path: `${sources}/wal/shared-tail.ts`, fieldsOf: 'TailWords', others: [] },
  { path: `${sources}/arena/segment-pool.ts`, others: ['CHUNK_BYTES', 'POOL_BYTES_MAX'] },
  {
    path: `${sources}/memtable/descriptor.ts`,
    others: ['COMMON_WORDS', 'TYPE_SKIPLIST', 'TYPE_BTREE'],
  },
  {
    path: `${sources}/memtable/node.ts`,
    others: ['OWN_WORDS', 'HEIGHT_MAX', 'DESCRIPTOR_BYTES'],
  },
  { path: `${sources}/memtable/btree-descriptor.ts`, others: ['BTREE_DESCRIPTOR_BYTES'] },
  {
    path: `${sources}/arena/shared-arena.ts`,
    others: ['ARENA_WORDS', 'RUN_HEADER_BYTES', 'UNIT', 'HEADER_UNITS'],
  },
  { path: `${sources}/cache/replacement.ts`, others: ['SLOT_WORDS', 'HITS_MAX', 'WARMTH_MAX'] },
  {
    path: `${sources}/cache/slot-pages.ts`,
    others: [
      'SLOT_BYTES_MIN',
      'PAGE_BYTES_MAX',
      'PAGES_WANTED',
      'STATE_WORDS',
      'CLASS_WORDS',
      'NOBODY',
      'LEAVING',
      'WAITING_MAX',
    ],
  },
];

/** The words that a source file declares, by name. */
function wordsIn(source: string, { fieldsOf, others }: Layout): string[] {
  let text = source;
  let pattern = /^(?:export )?const ([A-Z][A-Z0-9_]*)(?:: number)? = /gm;
  if (fieldsOf !== undefined) {
    text = source.slice(source.indexOf(`class ${fieldsOf} {`));
    text = text.slice(0, text.indexOf('\n}'));
    pattern = /^ {2}(\w+) = /gm;
  }
  const names = Array.from(text.matchAll(pattern), ([, name]) => name!);
  return names.filter((name) => !others.includes(name)).sort();
}

/** The words in the tables that belong to the file `path`. */
function wordsOf(path: string, text: string): string[] {
  const found: string[] = [];
  let belongsTo = '';
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) {
      const named = [...line.matchAll(/`(packages\/[\w./-]+\.ts)`/g)].at(-1)?.[1];
      if (line.startsWith('#')) belongsTo = '';
      if (named !== undefined && layouts.some((layout) => layout.path === named)) belongsTo = named;
    } else if (belongsTo === path) {
      const [, first = ''] = line.split('|');
      found.push(...Array.from(first.matchAll(/`(\w+)`/g), ([, name]) => name!));
    }
  }
  return found.sort();
}

describe.each(layouts)('$path', (layout) => {
  test('every word is in the table, and every word of the table is in the code', () => {
    expect(wordsOf(layout.path, document)).toEqual(wordsIn(read(layout.path), layout));
  });

  test('what is said to be no word is there', () => {
    for (const name of layout.others) expect(read(layout.path)).toMatch(new RegExp(`\\bconst ${name}\\b`));
  });
});

test('flags of the database are named in the row of their word', () => {
  const row = document.split('\n').find((line) => line.startsWith('| `FLAGS`'));
  const flags = read(layouts[0]!.path).match(/\bFLAG_\w+/g)!;
  expect(flags.length).toBeGreaterThan(0);
  for (const flag of flags) expect(row).toContain(`\`${flag}\``);
});

test('a place of the register has a row for each of its words', () => {
  const words = Number(
    /PLACE_WORDS = (\d+);/.exec(read(`${sources}/engine/sharing/shared-register.ts`))?.[1],
  );
  expect(document.match(/^\| place \+ \d/gm)).toEqual(
    Array.from({ length: words }, (_, i) => `| place + ${i}`),
  );
});

test('a word that only the code has, or only the table, is noticed', () => {
  const [control] = layouts as [Layout];
  const source = `${read(control.path)}\nexport const PLANTED = 20;\n`;
  expect(wordsIn(source, control)).toContain('PLANTED');
  expect(wordsOf(control.path, document)).not.toContain('PLANTED');
  const planted = document.replace('| `EPOCH` |', '| `EPOCH`, `PLANTED` |');
  expect(wordsOf(control.path, planted)).toContain('PLANTED');
  expect(wordsOf(control.path, planted)).not.toEqual(wordsIn(read(control.path), control));
  const tail = layouts.find(({ fieldsOf }) => fieldsOf !== undefined)!;
  const more = read(tail.path).replace('  lastTime = 0;', '  lastTime = 0;\n  planted = 0;');
  expect(wordsIn(more, tail)).toContain('planted');
});
