/**
 * Walks over much that was deleted: what they remember of it never hides anything that is there, whatever is put, deleted,
 * flushed and compacted in between, for readers of now and of the past.
 */
import { expect, onTestFinished, test } from 'vitest';
import { open, type Snapshot, u64 } from 'varve';
import { Random } from '../src/base/random.ts';

const KEYS = 3000;

test.each([1, 2, 3, 4, 5, 6])('every walk shows what a sorted map holds (seed %i)', async (seed) => {
  const random = new Random(seed);
  const db = await open(':memory:');
  onTestFinished(() => db.close());
  const data = db.keyspace('data', { key: u64, value: u64 });
  const model = new Map<number, number>();
  const snapshots: { snapshot: Snapshot; model: Map<number, number> }[] = [];
  for (let i = 0; i < KEYS; i++) {
    data.put(i, i);
    model.set(i, i);
  }
  const expectedOf = (of: Map<number, number>, from: number, reverse: boolean): number[] => {
    const keys = [...of.keys()].sort((a, b) => a - b);
    return (reverse ? keys.filter((key) => key <= from).reverse() : keys.filter((key) => key >= from)).slice(
      0,
      3,
    );
  };
  const walk = (reverse: boolean): void => {
    const from = random.below(KEYS);
    const range = reverse ? { lte: from, reverse, limit: 3 } : { gte: from, limit: 3 };
    expect([...data.range(range).keys()]).toEqual(expectedOf(model, from, reverse));
    for (const { snapshot, model: past } of snapshots) {
      expect([...snapshot.range(data, range).keys()]).toEqual(expectedOf(past, from, reverse));
    }
  };
  for (let step = 0; step < 250; step++) {
    const dice = random.below(12);
    const at = random.below(KEYS);
    if (dice < 3) {
      const end = Math.min(KEYS, at + random.below(1200));
      for (let key = at; key < end; key++) {
        data.delete(key);
        model.delete(key);
      }
    } else if (dice < 5) {
      data.put(at, step);
      model.set(at, step);
    } else if (dice < 6) {
      const batch = db.batch();
      for (let i = 0; i < 5; i++) {
        const key = random.below(KEYS);
        batch.put(data, key, step);
        model.set(key, step);
      }
      db.write(batch);
    } else if (dice < 7 && snapshots.length < 3) {
      snapshots.push({ snapshot: db.snapshot(), model: new Map(model) });
    } else if (dice < 8) {
      snapshots.shift()?.snapshot.close();
    } else if (dice < 9) {
      await (random.oneIn(2) ? db.flush() : db.compact());
    } else walk(random.oneIn(3));
    if (step % 40 === 0) {
      expect([...data.range().keys()]).toEqual([...model.keys()].sort((a, b) => a - b));
    }
  }
  for (const { snapshot } of snapshots) snapshot.close();
});

test('a cursor that began before a put into what it passed over does not hide the put from others', async () => {
  const db = await open(':memory:');
  onTestFinished(() => db.close());
  const data = db.keyspace('data', { key: u64, value: u64 });
  for (let i = 0; i < 1000; i++) data.put(i, i);
  for (let i = 0; i < 900; i++) data.delete(i);
  const cursor = data.range().cursor();
  data.put(450, 1);
  expect(cursor.next()).toBe(true);
  cursor.close();
  expect([...data.range({ limit: 2 }).keys()]).toEqual([450, 900]);
  expect([...data.range({ limit: 2 }).keys()]).toEqual([450, 900]);
});
