/**
 * `filterPrefixBytes`: ranges give what a sorted list gives, whatever the tables' filters hold and however the setting
 * changed from open to open. That tables are left out at all is in src/engine/scan.test.ts.
 */
import { type Database, type Keyspace, open, type Range } from 'varve';
import { MemoryFs, Random } from 'varve/testing';
import { expect, test } from 'vitest';

type Bytes = Keyspace<Uint8Array, Uint8Array>;

const LETTERS = [0x61, 0x62, 0xfe, 0xff];
const keyOf = (random: Random): Uint8Array =>
  Uint8Array.from({ length: random.below(7) }, () => random.pick(LETTERS));
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Keys in order, by their hex text. */
class Model {
  readonly entries = new Map<string, string>();

  keys(from: string, to: string | undefined): string[] {
    return [...this.entries.keys()].filter((key) => key >= from && (to === undefined || key < to)).sort();
  }
}

function change(random: Random, data: Bytes, model: Model): void {
  const key = keyOf(random);
  const what = random.below(12);
  if (what < 9) {
    const value = Uint8Array.of(random.below(256));
    data.put(key, value);
    model.entries.set(text(key), text(value));
  } else if (what < 11) {
    data.delete(key);
    model.entries.delete(text(key));
  } else {
    const end = Uint8Array.from([...key, random.pick(LETTERS)]);
    data.deleteRange({ gte: key, lt: end });
    for (const gone of model.keys(text(key), text(end))) model.entries.delete(gone);
  }
}

function rangeOf(random: Random): { range: Range<Uint8Array>; from: string; to: string | undefined } {
  const prefix = keyOf(random);
  if (random.oneIn(2)) {
    const above = [...prefix];
    while (above.at(-1) === 0xff) above.pop();
    if (above.length > 0) above[above.length - 1]!++;
    const to = above.length === 0 ? undefined : text(Uint8Array.from(above));
    return { range: { prefix }, from: text(prefix), to };
  }
  const gte = Uint8Array.from([...prefix, random.pick(LETTERS)]);
  const lt = Uint8Array.from([...prefix, random.pick(LETTERS), random.pick(LETTERS)]);
  return { range: { gte, lt }, from: text(gte), to: text(lt) };
}

function compare(random: Random, data: Bytes, model: Model): void {
  for (let round = 0; round < 60; round++) {
    const { range, from, to } = rangeOf(random);
    const expected = model.keys(from, to);
    expect([...data.range(range).keys()].map(text)).toEqual(expected);
    expect([...data.range({ ...range, reverse: true }).keys()].map(text)).toEqual([...expected].reverse());
    expect(data.count(range)).toBe(expected.length);
    const at = keyOf(random);
    const cursor = data.range(range).cursor();
    const next = expected.find((key) => key >= text(at));
    expect(cursor.seek(at) ? text(cursor.key) : undefined).toBe(next);
    cursor.close();
    const back = data.range({ ...range, reverse: true }).cursor();
    const before = expected.filter((key) => key <= text(at)).at(-1);
    expect(back.seek(at) ? text(back.key) : undefined).toBe(before);
    back.close();
    expect(data.get(at) === undefined).toBe(!model.entries.has(text(at)));
  }
}

test.each([1, 2, 3])(
  'ranges give what a sorted list gives over changes of the setting, seed %i',
  async (seed) => {
    const random = new Random(seed);
    const fileSystem = new MemoryFs();
    const model = new Model();
    for (const filterPrefixBytes of [2, 0, 3, 1, 65_535]) {
      const db: Database = await open('/db', {
        fileSystem,
        keyspaceDefaults: {
          filterPrefixBytes,
          filterBitsPerKey: random.pick([10, 20]),
          compaction: { strategy: 'leveled', level0Files: 100 },
        },
      });
      const data = db.keyspace('data');
      for (let round = 0; round < 4; round++) {
        for (let i = random.below(120); i >= 0; i--) change(random, data, model);
        if (!random.oneIn(4)) await db.flush();
        compare(random, data, model);
      }
      if (random.oneIn(2)) await db.compact();
      compare(random, data, model);
      expect((await db.verify()).problems).toEqual([]);
      await db.close();
    }
  },
);
