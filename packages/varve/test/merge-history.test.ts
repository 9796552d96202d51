/** Values of merges in the history of a key: each is what the operator makes of everything since the last put or delete. */
import { append, type MergeOperator, utf8 } from 'varve';
import { Random } from 'varve/testing';
import { expect, test } from 'vitest';
import { inMemory } from './in-memory.ts';
import { HandClock } from './ttl-world.ts';

interface Written {
  readonly sequence: number;
  readonly time: number;
  /** Undefined: a delete. */
  readonly text: string | undefined;
  readonly isMerge: boolean;
  readonly expiresAt: number;
}

/** The value of a version, from scratch. */
function valueOf(all: readonly Written[], at: number): string | undefined {
  const { text, isMerge, time } = all[at]!;
  if (!isMerge) return text;
  let base = at;
  while (base >= 0 && all[base]!.isMerge) base--;
  const below = base >= 0 && all[base]!.expiresAt > time ? (all[base]!.text ?? '') : '';
  return (
    below +
    all
      .slice(base + 1, at + 1)
      .map((each) => each.text)
      .join('')
  );
}

test('is what all operands since the last put or delete make, if that had not expired, with any limit', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Random(seed);
    const clock = new HandClock();
    const db = await inMemory({ clock });
    const retention = { ms: 1_000_000 };
    const data = db.keyspace('data', { key: utf8, value: utf8, mergeOperator: append, retention });
    const all: Written[] = [];
    const note = (
      sequence: number,
      text: string | undefined,
      isMerge: boolean,
      ttlMs = Number.POSITIVE_INFINITY,
    ): void => void all.push({ sequence, time: clock.time, text, isMerge, expiresAt: clock.time + ttlMs });
    for (let step = 0; step < 60; step++) {
      const text = `${step},`;
      const choice = random.below(20);
      if (choice < 11) note(data.merge('a', text), text, true);
      else if (choice < 12) note(data.put('a', text), text, false);
      else if (choice < 14) note(data.put('a', text, { ttlMs: 20 }), text, false, 20);
      else if (choice < 15) note(data.delete('a'), undefined, false);
      else if (choice < 16) note(data.deleteRange({ gte: 'a', lt: 'b' }), undefined, false);
      else if (choice < 18) await db.flush();
      else if (choice < 19) await db.compact();
      clock.time += random.below(8);
    }
    const expected = all.map(({ sequence }, at) => ({ sequence, value: valueOf(all, at) })).reverse();
    // That nothing was there leaves no trace.
    while (expected.length > 0 && expected.at(-1)!.value === undefined) expected.pop();
    for (const limit of [1, 2, 3, 5, 10, 100]) {
      const found = data.history('a', { limit }).map(({ sequence, value }) => ({ sequence, value }));
      expect({ seed, limit, found }).toEqual({ seed, limit, found: expected.slice(0, limit) });
    }
    await db.close();
  }
});

test('takes one step for each merge', async () => {
  let operands = 0;
  const counting: MergeOperator = {
    name: 'counting',
    version: 1,
    merge: (_key, existing, list) => {
      operands += list.length;
      return Uint8Array.of((existing?.[0] ?? 0) + list.length);
    },
  };
  const db = await inMemory();
  const data = db.keyspace('data', { mergeOperator: counting, retention: { ms: 1_000_000 } });
  const key = Uint8Array.of(1);
  for (let i = 0; i < 200; i++) data.merge(key, key);
  expect(data.history(key).map(({ value }) => value![0])).toEqual(
    Array.from({ length: 200 }, (_, i) => 200 - i),
  );
  expect(operands).toBe(200);
  expect(data.history(key, { limit: 3 }).map(({ value }) => value![0])).toEqual([200, 199, 198]);
  expect(operands).toBe(400);
});
