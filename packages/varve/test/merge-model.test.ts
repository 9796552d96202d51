/**
 * Random merges, puts, deletes, range deletes, batches, transactions, snapshots, flushes, compactions and reopens against a sorted
 * map, with and without the operator in between.
 */
import { describe, expect, test } from 'vitest';
import { Random } from '../src/base/random.ts';
import { append, open, utf8 } from '../src/index.ts';
import type { Database, Keyspace, Snapshot } from '../src/index.ts';
import { MemoryFs } from '../src/fs/memory-fs.ts';

const KEYS = 12;
const keyOf = (i: number): string => `k${String.fromCharCode(97 + i)}`;
type Model = Map<string, string>;

function merge(model: Model, key: string, operand: string): void {
  model.set(key, (model.get(key) ?? '') + operand);
}

function deleteRange(model: Model, from: string, to: string): void {
  for (const key of model.keys()) if (key >= from && key < to) model.delete(key);
}

interface Writes {
  put(key: string, value: string): unknown;
  merge(key: string, value: string): unknown;
  delete(key: string): unknown;
  deleteRange(from: string, to: string): unknown;
}

let letters = 0;
function write(random: Random, to: Writes, model: Model): void {
  const key = keyOf(random.below(KEYS));
  const letter = String.fromCharCode(65 + (letters++ % 26));
  const kind = random.below(10);
  if (kind < 6) {
    to.merge(key, letter);
    merge(model, key, letter);
  } else if (kind < 8) {
    to.put(key, letter);
    model.set(key, letter);
  } else if (kind === 8) {
    to.delete(key);
    model.delete(key);
  } else {
    const end = keyOf(random.below(KEYS) + 1);
    if (end <= key) return;
    to.deleteRange(key, end);
    deleteRange(model, key, end);
  }
}

const sorted = (model: Model): [string, string][] => [...model].sort(([a], [b]) => (a < b ? -1 : 1));

function check(texts: Keyspace<string, string>, model: Model, snapshots: readonly Held[]): void {
  expect([...texts.range()]).toEqual(sorted(model));
  expect([...texts.range({ reverse: true })]).toEqual(sorted(model).reverse());
  const keys = Array.from({ length: KEYS }, (_, i) => keyOf(i));
  const want = keys.map((key) => model.get(key));
  expect(keys.map((key) => texts.get(key))).toEqual(want);
  expect(texts.getMany(keys)).toEqual(want);
  expect(keys.map((key) => texts.has(key))).toEqual(keys.map((key) => model.has(key)));
  expect(texts.count()).toBe(model.size);
  for (const held of snapshots) {
    expect([...held.snapshot.range(texts)]).toEqual(sorted(held.model));
    expect(held.snapshot.getMany(texts, keys)).toEqual(keys.map((key) => held.model.get(key)));
  }
}

interface Held {
  readonly snapshot: Snapshot;
  readonly model: Model;
}

async function history(seed: number): Promise<void> {
  const random = new Random(seed);
  const fileSystem = new MemoryFs();
  let model: Model = new Map();
  for (let life = 0; life < 3; life++) {
    await using db: Database = await open('/merges', { fileSystem });
    const hasOperator = life !== 1;
    const settings = { key: utf8, value: utf8, ...(random.oneIn(2) ? { blobValueBytes: 64 } : {}) } as const;
    const texts: Keyspace<string, string> = db.keyspace('texts', {
      ...settings,
      ...(hasOperator ? { mergeOperator: append } : {}),
    });
    const snapshots: Held[] = [];
    if (!hasOperator) {
      await db.flush();
      await db.compact();
      continue;
    }
    check(texts, model, snapshots);
    for (let step = 0; step < 120; step++) {
      const what = random.below(20);
      if (what < 10) {
        write(
          random,
          {
            put: (key, value) => texts.put(key, value),
            merge: (key, value) => texts.merge(key, value),
            delete: (key) => texts.delete(key),
            deleteRange: (gte, lt) => texts.deleteRange({ gte, lt }),
          },
          model,
        );
      } else if (what < 14) {
        const batch = db.batch();
        for (let i = random.below(12); i >= 0; i--) {
          write(
            random,
            {
              put: (key, value) => batch.put(texts, key, value),
              merge: (key, value) => batch.merge(texts, key, value),
              delete: (key) => batch.delete(texts, key),
              deleteRange: (gte, lt) => batch.deleteRange(texts, { gte, lt }),
            },
            model,
          );
        }
        db.write(batch);
      } else if (what < 16) {
        const after = new Map(model);
        using tx = db.begin();
        for (let i = random.below(12); i >= 0; i--) {
          write(
            random,
            {
              put: (key, value) => tx.put(texts, key, value),
              merge: (key, value) => tx.merge(texts, key, value),
              delete: (key) => tx.delete(texts, key),
              deleteRange: (gte, lt) => tx.deleteRange(texts, { gte, lt }),
            },
            after,
          );
          const key = keyOf(random.below(KEYS));
          expect(tx.get(texts, key)).toBe(after.get(key));
          expect(tx.has(texts, key)).toBe(after.has(key));
        }
        expect([...tx.range(texts)]).toEqual(sorted(after));
        expect([...tx.range(texts, { reverse: true })]).toEqual(sorted(after).reverse());
        if (!random.oneIn(4)) {
          tx.commit();
          model = after;
        }
      } else if (what === 16) await db.flush();
      else if (what === 17 && random.oneIn(2)) await db.compact();
      else if (what === 18) snapshots.push({ snapshot: db.snapshot(), model: new Map(model) });
      else if (snapshots.length > 0) snapshots.splice(random.below(snapshots.length), 1)[0]!.snapshot.close();
      if (step % 10 === 0) check(texts, model, snapshots);
    }
    check(texts, model, snapshots);
    await db.compact();
    check(texts, model, snapshots);
    expect((await db.verify({ full: true })).problems).toEqual([]);
  }
}

describe('merges', () => {
  test.each(Array.from({ length: Number(process.env['VARVE_SEEDS'] ?? 25) }, (_, i) => i + 1))(
    'show what a sorted map shows, seed %i',
    async (seed) => {
      await expect(history(seed)).resolves.toBe(undefined);
    },
  );
});
