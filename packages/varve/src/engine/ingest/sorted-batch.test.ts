import { expect, test } from 'vitest';
import { compareBytes } from '../../base/bytes.ts';
import { KIND_DELETE, KIND_PUT, KIND_RANGE_DELETE } from '../../base/kinds.ts';
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

test('a range delete is refused by name', () => {
  const batch = new BatchBuffer();
  batch.add(KIND_RANGE_DELETE, 1, text('a'), text('b'));
  expect(() => sorted(batch)).toThrow(
    expect.objectContaining({ code: 'BATCH_TOO_LARGE', kind: 'invalid' }) as Error,
  );
});
