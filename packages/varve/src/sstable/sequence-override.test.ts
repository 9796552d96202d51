/** Tables whose entries all get one sequence from outside: every way to read shows it, and readers below it see nothing. */
import { beforeAll, expect, test } from 'vitest';
import { compareBytes } from '../base/bytes.ts';
import { Random } from '../base/random.ts';
import { MemoryFs } from '../fs/memory-fs.ts';
import { ready } from './checksum.ts';
import { TableReader } from './reader.ts';
import {
  buildTable,
  bytesOf,
  current,
  drain,
  type Entry,
  getEntry,
  put,
  randomEntries,
  smallShape,
  walkBackward,
  walkForward,
} from './table.suite.ts';

beforeAll(ready);

const SEQUENCE = 50;

test.each([128, 4096, 1 << 20])('blocks of %i bytes', (blockBytes) => {
  const random = new Random(9);
  const shape = { ...smallShape, versionsMax: 1, valueBytesMax: blockBytes > 4096 ? 2000 : 40 };
  const all = randomEntries(random, shape).map((entry): Entry => ({ ...entry, sequence: 0 }));
  const entries = all.filter(({ key }, i) => i === 0 || compareBytes(all[i - 1]!.key, key) < 0);
  const shown = entries.map((entry): Entry => ({ ...entry, sequence: SEQUENCE }));
  const fs = new MemoryFs();
  buildTable(fs, '/t', entries, { blockBytes });
  const table = TableReader.open({ fs, path: '/t', fileNumber: 1, sequenceOverride: SEQUENCE });
  expect(walkForward(table.iterator())).toEqual(shown);
  expect(walkBackward(table.iterator())).toEqual([...shown].reverse());
  for (let i = 0; i < shown.length; i++) {
    const { key } = shown[i]!;
    expect(getEntry(table, key, SEQUENCE)).toEqual(shown[i]);
    expect(getEntry(table, key, SEQUENCE + 1)).toEqual(shown[i]);
    expect(getEntry(table, key, SEQUENCE - 1)).toBeUndefined();
    const iterator = table.iterator();
    iterator.seek(key, 0, key.length, SEQUENCE);
    expect(current(iterator)).toEqual(shown[i]);
    // Behind every version that a reader so early could see.
    iterator.seek(key, 0, key.length, SEQUENCE - 1);
    expect(current(iterator)).toEqual(shown[i + 1]);
    expect(iterator.valid ? iterator.run(true, SEQUENCE - 1) : undefined).toBeUndefined();
  }
  drain(table.verify());
  table.close();
});

test('a table that has sequences of its own, or several versions of a key, gets none from outside', () => {
  const fs = new MemoryFs();
  buildTable(fs, '/own', [put('a', 3, 'x')], {});
  buildTable(fs, '/none', [put('a', 0, 'x')], {});
  for (const [path, isRight] of [
    ['/own', false],
    ['/none', true],
  ] as const) {
    const open = (): TableReader => TableReader.open({ fs, path, fileNumber: 1, sequenceOverride: SEQUENCE });
    if (isRight) expect(getEntry(open(), bytesOf('a'), SEQUENCE)).toMatchObject({ sequence: SEQUENCE });
    else expect(open).toThrow(expect.objectContaining({ code: 'CORRUPTION' }) as Error);
  }
});
