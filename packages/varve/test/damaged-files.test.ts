/**
 * Damaged files: truncated, bit-flipped, missing, or written by a later release. Whatever is asked of them, the answer is the
 * right data or a VarveError that names the file; never a wrong value, a crash, or a loss that nobody is told of.
 */
import { type Database, type Keyspace, utf8, VarveError } from 'varve';
import { MemoryFs, Random } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { crc32c } from '../src/base/crc32c.ts';
import { encodeEdit } from '../src/manifest/version-edit.ts';
import { emptyVersion, snapshotEdit } from '../src/manifest/version.ts';
import { encodeFrame } from '../src/record/frame.ts';
import { FOOTER_BYTES } from '../src/sstable/format.ts';
import { ManualScheduler } from './manual-scheduler.ts';
import { expectRefusal, refusal } from './refusal.ts';

type Texts = Keyspace<string, string>;
const texts = (db: Database, name = 'data'): Texts => db.keyspace(name, { key: utf8, value: utf8 });
const settings = { cacheBytesMax: 0, keyspaceDefaults: { blockBytes: 512 } };
const key = (i: number): string => `key${String(i).padStart(3, '0')}`;
const value = (i: number): string => `value ${i} `.repeat(5);

/** Three tables' worth of one keyspace and a log behind them, cleanly closed. */
async function specimen(): Promise<{ disk: MemoryFs; expected: [string, string][] }> {
  const disk = new MemoryFs();
  const time = new ManualScheduler();
  const db = await time.open('/db', { fileSystem: disk, ...settings });
  const data = texts(db);
  for (let round = 0; round < 3; round++) {
    for (let i = round; i < 90; i += 3) data.put(key(i), value(i));
    await time.run(db.flush());
  }
  data.delete(key(5));
  data.deleteRange({ gte: key(10), lt: key(12) });
  const expected = [...data.range()];
  expect(expected).toHaveLength(87);
  await time.run(db.close());
  return { disk, expected };
}

function bytesOf(disk: MemoryFs, path: string): Uint8Array {
  const file = disk.open(path, 'read');
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0, bytes.length, 0);
  file.close();
  return bytes;
}

/** A disk with the same files, but for one. */
function withFile(disk: MemoryFs, name: string, bytes: Uint8Array | undefined): MemoryFs {
  const copy = new MemoryFs();
  copy.makeDirectory('/db');
  for (const each of disk.list('/db')) {
    const content = each === name ? bytes : bytesOf(disk, `/db/${each}`);
    if (content === undefined) continue;
    const file = copy.open(`/db/${each}`, 'create');
    file.write(content, 0, content.length, 0);
    file.close();
  }
  return copy;
}

const filesOf = (disk: MemoryFs, ending: RegExp): string[] =>
  disk.list('/db').filter((name) => ending.test(name));

/** Opens and reads everything in every way; returns what was read, or what was answered instead. */
async function readAll(disk: MemoryFs): Promise<[string, string][] | VarveError> {
  let db: Database | undefined;
  const time = new ManualScheduler();
  try {
    db = await time.open('/db', { fileSystem: disk, ...settings });
    const data = texts(db);
    const entries = [...data.range()];
    expect([...data.range({ reverse: true })].reverse()).toEqual(entries);
    for (const [k, v] of entries) expect(data.get(k)).toBe(v);
    return entries;
  } catch (error) {
    if (error instanceof VarveError) return error;
    throw error;
  } finally {
    if (db !== undefined) await time.run(db.close());
  }
}

describe('every file of a closed database', () => {
  for (const kind of [/^MANIFEST/, /\.sst$/, /\.wal$/]) {
    test(`truncated anywhere gives the right data or an error that names it: ${kind}`, async () => {
      const { disk, expected } = await specimen();
      const name = filesOf(disk, kind)[0]!;
      const whole = bytesOf(disk, `/db/${name}`);
      for (let length = 0; length < whole.length; length += Math.ceil(whole.length / 40)) {
        const got = await readAll(withFile(disk, name, whole.subarray(0, length)));
        if (got instanceof VarveError) {
          expect({ length, kind: got.kind }).toEqual({ length, kind: 'corruption' });
          expect(got.context['file']).toMatch(/^\/db/);
        } else expect({ length, got }).toEqual({ length, got: expected });
      }
    });

    test(`with one bit flipped gives the right data or an error that names it: ${kind}`, async () => {
      const { disk, expected } = await specimen();
      const random = new Random(7);
      for (const name of filesOf(disk, kind)) {
        for (let i = 0; i < 40; i++) {
          const bytes = bytesOf(disk, `/db/${name}`);
          const at = random.below(bytes.length);
          bytes[at]! ^= 1 << random.below(8);
          const got = await readAll(withFile(disk, name, bytes));
          if (got instanceof VarveError) {
            expect({ name, at, kind: got.kind }).toEqual({
              name,
              at,
              kind: expect.stringMatching(/^corruption|invalid$/),
            });
            if (got.kind === 'invalid') expect(got.code).toMatch(/^UNSUPPORTED/);
            expect(got.context['file']).toBe(`/db/${name}`);
          } else expect({ name, at, got }).toEqual({ name, at, got: expected });
        }
      }
    });
  }

  test('when missing is told by name', async () => {
    const { disk } = await specimen();
    for (const name of filesOf(disk, /^MANIFEST|\.sst$|\.wal$/)) {
      const got = await readAll(withFile(disk, name, undefined));
      if (!(got instanceof VarveError)) throw new Error(`${name} is not missed`);
      expect({ name, kind: got.kind }).toEqual({ name, kind: 'corruption' });
    }
  });

  test('of a later release is refused by its version', async () => {
    const { disk } = await specimen();
    const manifest = filesOf(disk, /^MANIFEST/)[0]!;
    const later = encodeFrame(1, encodeEdit({ ...snapshotEdit(emptyVersion()), formatVersion: 99 }));
    await expectRefusal(
      () => new ManualScheduler().open('/db', { fileSystem: withFile(disk, manifest, later) }),
      'UNSUPPORTED_MANIFEST',
      'invalid',
      { file: `/db/${manifest}`, format: 99 },
    );
    const table = filesOf(disk, /\.sst$/)[0]!;
    const bytes = bytesOf(disk, `/db/${table}`);
    // The last 16 bytes: format version, checksum of the footer up to there, magic (sstable/format).
    const view = new DataView(bytes.buffer);
    view.setUint32(bytes.length - 16, 99, true);
    view.setUint32(bytes.length - 12, crc32c(bytes, bytes.length - FOOTER_BYTES, bytes.length - 12), true);
    const got = await readAll(withFile(disk, table, bytes));
    expect(got).toMatchObject({ code: expect.stringMatching(/^UNSUPPORTED/), kind: 'invalid' });
    expect((got as VarveError).context).toMatchObject({ file: `/db/${table}` });
  });
});

describe('a damaged block of a table', () => {
  interface Damaged {
    readonly db: Database;
    readonly time: ManualScheduler;
    readonly data: Texts;
    readonly file: string;
    readonly warnings: { code: string; message: string }[];
  }

  /** The block in the middle of the only table of 'data' is damaged; 'other' is whole. */
  async function damaged(): Promise<Damaged> {
    const disk = new MemoryFs();
    const time = new ManualScheduler();
    const first = await time.open('/db', { fileSystem: disk, ...settings });
    for (let i = 0; i < 300; i++) texts(first).put(key(i), value(i));
    await time.run(first.flush());
    for (let i = 0; i < 10; i++) texts(first, 'other').put(key(i), value(i));
    await time.run(first.flush());
    await time.run(first.close());
    const name = filesOf(disk, /\.sst$/)[0]!;
    const bytes = bytesOf(disk, `/db/${name}`);
    bytes[Math.floor(bytes.length / 2)]! ^= 4;
    const db = await time.open('/db', { fileSystem: withFile(disk, name, bytes), ...settings });
    onTestFinished(() => db.close());
    const warnings: { code: string; message: string }[] = [];
    db.events.addEventListener('warning', (event) =>
      warnings.push((event as CustomEvent<{ code: string; message: string }>).detail),
    );
    return { db, time, data: texts(db), file: `/db/${name}`, warnings };
  }

  test('fails the gets that need it, with file and offset, and no others', async () => {
    const { data, file } = await damaged();
    const failed: number[] = [];
    for (let i = 0; i < 300; i++) {
      try {
        expect(data.get(key(i))).toBe(value(i));
      } catch (error) {
        expect(error).toMatchObject({ code: 'CORRUPTION', kind: 'corruption', context: { file } });
        expect((error as VarveError).context['offset']).toBeGreaterThan(0);
        failed.push(i);
      }
    }
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(20);
    expect(failed.at(-1)! - failed[0]!).toBe(failed.length - 1);
    await expectRefusal(() => data.has(key(failed[0]!)), 'CORRUPTION', 'corruption', { file });
    await expectRefusal(() => data.getAsync(key(failed[0]!)), 'CORRUPTION', 'corruption', { file });
    await expectRefusal(() => data.getMany([key(0), key(failed[0]!)]), 'CORRUPTION', 'corruption', { file });
    await expectRefusal(() => data.putIfAbsent(key(failed[0]!), 'x'), 'CORRUPTION', 'corruption', { file });
    // Writing over it makes it readable again.
    data.put(key(failed[0]!), 'new');
    expect(data.get(key(failed[0]!))).toBe('new');
  });

  test('ends a range where it stands, in both directions, after everything before it', async () => {
    const { db, data, file } = await damaged();
    for (const reverse of [false, true]) {
      const seen: string[] = [];
      await expectRefusal(
        () => {
          for (const each of data.range({ reverse }).keys()) seen.push(each);
        },
        'CORRUPTION',
        'corruption',
        { file },
      );
      expect(seen.length).toBeGreaterThan(100);
      expect(seen[0]).toBe(key(reverse ? 299 : 0));
    }
    await expectRefusal(() => data.count(), 'CORRUPTION', 'corruption', { file });
    expect(data.count({ lt: key(100) })).toBe(100);
    expect(db.stats().snapshots.count).toBe(0);
  });

  test('stops the compaction of its keyspace with a warning; flushes, writes and other keyspaces go on', async () => {
    const { db, time, data, file, warnings } = await damaged();
    const other = texts(db, 'other');
    for (let i = 0; i < 10; i++) {
      data.put(key(i), 'new');
      other.put(key(i), 'new');
    }
    const error = await expectRefusal(() => time.run(db.compact()), 'CORRUPTION', 'corruption', { file });
    expect(error.message).toContain("'data'");
    expect(warnings).toEqual([{ code: 'COMPACTION_FAILED', message: expect.stringContaining("'data'") }]);
    await time.run(db.compact({ keyspace: 'other' }));
    expect(db.stats().keyspaces['other']!.levels[0]!.files).toBe(0);
    data.put('after', 'v');
    await time.run(db.flush());
    expect([data.get('after'), data.get(key(3)), other.get(key(3))]).toEqual(['v', 'new', 'new']);
    // Not tried again, and not warned of again.
    for (let round = 0; round < 6; round++) {
      data.put('more', String(round));
      await time.run(db.flush());
    }
    expect(warnings).toHaveLength(1);
    expect(data.get('more')).toBe('5');
  });

  test('is what verify reports, with file and offset', async () => {
    const { db, time, file } = await damaged();
    const report = await time.run(db.verify());
    expect(report.files).toBe(2);
    expect(report.problems).toEqual([
      { file, offset: expect.any(Number), code: 'CORRUPTION', message: expect.any(String) },
    ]);
  });
});

test('a snapshot and an iterator survive the refusal of another key', async () => {
  const { disk } = await specimen();
  const db = await new ManualScheduler().open('/db', { fileSystem: disk, ...settings });
  onTestFinished(() => db.close());
  const data = texts(db);
  const walk = data.range()[Symbol.iterator]();
  walk.next();
  await refusal(() => data.get(1 as never));
  expect(walk.next().done).toBe(false);
});
