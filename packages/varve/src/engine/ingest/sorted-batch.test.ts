import { expect, test } from 'vitest';
import { compareBytes } from '../../base/bytes.ts';
import { KIND_DELETE, KIND_MERGE, KIND_PUT, KIND_RANGE_DELETE } from '../../base/kinds.ts';
import { operandList } from '../../base/operands.ts';
import { Random } from '../../base/random.ts';
import { BatchBuffer } from '../../record/batch.ts';
import { SortedBatch } from './sorted-batch.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Keyspace, kind, key and value of each entry, and how many steps the sorting took. */
function sorted(batch: BatchBuffer): { shown: string[]; steps: number } {
  const entries = new SortedBatch(batch);
  const steps = [...entries.sort()].length;
  const shown: string[] = [];
  while (entries.next()) {
    const { bytes, keyspace, kind, keyStart, keyEnd, valueStart, valueEnd } = entries;
    const part = (start: number, end: number): string => Buffer.from(bytes.slice(start, end)).toString();
    shown.push(`${keyspace} ${kind} ${part(keyStart, keyEnd)} ${part(valueStart, valueEnd)}`);
  }
  return { shown, steps };
}

test('keyspaces and keys ascend, and the last operation on a key is the one', () => {
  const random = new Random(7);
  for (const count of [0, 1, 2, 3, 64, 65, 1000]) {
    const batch = new BatchBuffer();
    const model = new Map<string, { keyspace: number; key: string; line: string }>();
    for (let i = 0; i < count; i++) {
      const [keyspace, key] = [1 + random.below(3), String(random.below(300))];
      const [kind, value] = random.oneIn(4) ? [KIND_DELETE, ''] : [KIND_PUT, `v${i}`];
      batch.add(kind, keyspace, text(key), text(value));
      model.set(`${keyspace}/${key}`, { keyspace, key, line: `${keyspace} ${kind} ${key} ${value}` });
    }
    const expected = [...model.values()]
      .sort((a, b) => a.keyspace - b.keyspace || compareBytes(text(a.key), text(b.key)))
      .map(({ line }) => line);
    expect(sorted(batch).shown).toEqual(expected);
  }
});

test('it works in steps', () => {
  const batch = new BatchBuffer();
  for (let i = 0; i < 5000; i++) batch.add(KIND_PUT, 1, text(String(i)), text(''));
  expect(sorted(batch).steps).toBeGreaterThan(500);
});

test('of a key that is merged to last there is all that it stands on, the oldest first', () => {
  const batch = new BatchBuffer();
  const lists: string[] = [];
  const add = (kind: number, key: string, value: string): void =>
    batch.add(kind, 1, text(key), kind === KIND_MERGE ? operandList(text(value)) : text(value));
  for (const key of ['a', 'b', 'c']) add(KIND_MERGE, key, `${key}0`);
  add(KIND_PUT, 'a', 'a1');
  for (const key of ['a', 'b', 'c', 'a']) add(KIND_MERGE, key, `${key}2`);
  add(KIND_DELETE, 'c', '');
  add(KIND_MERGE, 'c', 'c4');
  add(KIND_MERGE, 'd', 'd5');
  const entries = new SortedBatch(batch);
  for (const _ of entries.sort()) continue;
  while (entries.next()) {
    const { keyStart, keyEnd, isJoined } = entries;
    const key = Buffer.from(entries.bytes.slice(keyStart, keyEnd)).toString();
    const operations = entries
      .operations()
      .map(({ kind, value }) => `${kind}:${Buffer.from(value.slice(-2))}`);
    lists.push(`${key} ${isJoined} ${operations.join(' ')}`);
  }
  const [put, merge, gone] = [KIND_PUT, KIND_MERGE, KIND_DELETE];
  expect(lists).toEqual([
    `a true ${put}:a1 ${merge}:a2 ${merge}:a2`,
    `b true ${merge}:b0 ${merge}:b2`,
    `c true ${gone}: ${merge}:c4`,
    `d false ${merge}:d5`,
  ]);
});

test('many operations on one key are left out in steps', () => {
  const batch = new BatchBuffer();
  for (let i = 0; i < 5000; i++) batch.add(KIND_PUT, 1, text('key'), text(String(i)));
  const entries = new SortedBatch(batch);
  for (const _ of entries.sort()) continue;
  expect([entries.next(), entries.operations().length, entries.next()]).toEqual([true, 1, false]);
});

test('a range delete is refused by name', () => {
  const batch = new BatchBuffer();
  batch.add(KIND_RANGE_DELETE, 1, text('a'), text('b'));
  expect(() => sorted(batch)).toThrow(
    expect.objectContaining({ code: 'BATCH_TOO_LARGE', kind: 'invalid' }) as Error,
  );
});
