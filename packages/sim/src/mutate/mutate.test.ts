import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'varve';
import { nodeFileSystem } from 'varve/testing';
import { readModes } from '../read-modes.suite.ts';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { loadDirectoryImage, readDirectoryImage } from './directory-image.ts';
import { Judge } from './judge.ts';
import { randomMutations } from './positions.ts';
import { runMutations } from './run.ts';
import { makeSpecimens, type Specimen } from './specimens.ts';

const SEED = 20_260;
let specimens: Specimen[];

beforeAll(async () => {
  specimens = await makeSpecimens(SEED);
});

test('no flipped bit in any file gives a wrong value, another error than corruption, or a hang', async () => {
  const lines: string[] = [];
  const summary = await runMutations({ seed: SEED, positions: 300, log: (line) => lines.push(line) });
  expect(lines).toEqual([]);
  expect(summary.failures).toEqual([]);
  expect([...summary.verdicts.values()].reduce((sum, count) => sum + count, 0)).toBe(300);
  const verdicts = [...summary.verdicts.keys()].map((name) => name.split(' ').slice(1).join(' '));
  for (const kind of ['sst', 'blob', 'wal', 'manifest']) expect(verdicts).toContain(`${kind} corruption`);
  expect(verdicts).toContain('wal prefix');
}, 60_000);

test.each(readModes())(
  'copies on disk, read by %s, are judged as those in memory',
  async (reads) => {
    const run = { seed: SEED, positions: 25, log: () => undefined };
    const onDisk = await runMutations({ ...run, reads });
    expect(onDisk.failures).toEqual([]);
    expect(onDisk.verdicts).toEqual((await runMutations(run)).verdicts);
  },
  60_000,
);

test('copies that are recovered into skiplists are judged as those in trees, which wrote them', async () => {
  const run = { seed: SEED, positions: 25, log: () => undefined };
  const inLists = await runMutations({ ...run, memtable: 'skiplist' });
  expect(inLists.failures).toEqual([]);
  expect(inLists.verdicts).toEqual((await runMutations(run)).verdicts);
}, 60_000);

test('the specimens have every kind of file: tables above and below, blob files, edits, recycled segments', async () => {
  const crashed = specimens.find(({ name }) => name === 'crashed')!;
  const names = [...crashed.files.keys()];
  const logs = names.filter((name) => name.endsWith('.wal'));
  // Byte 44 of a segment has the flags of its start record; bit 0: the file was recycled.
  expect(logs.filter((name) => (crashed.files.get(name)![44]! & 1) === 1).length).toBeGreaterThan(1);
  expect(logs.length).toBeGreaterThan(2);
  expect(names.some((name) => name.endsWith('.blob'))).toBe(true);
  const db = await open('/db', { fileSystem: loadDirectoryImage(crashed.files, '/db'), readOnly: true });
  const { levels } = db.stats().keyspaces['plain']!;
  expect(levels[0]!.files).toBeGreaterThan(1);
  expect(levels.slice(1).some(({ files }) => files > 0)).toBe(true);
  expect(db.recovered.batches).toBeGreaterThan(100);
  await db.close();
});

test('without a flipped bit everything is right and nothing is reported', async () => {
  for (const specimen of specimens) {
    const file = [...specimen.files.keys()][0]!;
    // No bit 8: the file stays as it is.
    const verdict = await new Judge(specimen).judge(
      { specimen: specimen.name, file, offset: 0, bit: 8 },
      true,
    );
    expect(verdict).toBe('unnoticed');
  }
});

test('the judge notices a value that is wrong, and one that is missing', async () => {
  const { name, files, history, synced } = specimens.find((specimen) => specimen.name === 'closed')!;
  const last = history.findLastIndex(
    (step) => step.kind === 'batch' && step.changes.some(({ kind }) => kind === 'put'),
  );
  const step = history[last]!;
  const changes = step.kind === 'batch' ? step.changes : [];
  const wrong = changes.map((change) => (change.kind === 'put' ? { ...change, value: 'other' } : change));
  const put = changes.find(({ kind }) => kind === 'put')!;
  const more = { kind: 'put', keyspace: put.keyspace, key: 'never written', value: 'x' } as const;
  for (const planted of [wrong, [...changes, more]]) {
    const lying = history.with(last, { kind: 'batch', changes: planted });
    const judge = new Judge({ name, files, history: lying, synced });
    const file = [...files.keys()][0]!;
    await expect(judge.judge({ specimen: name, file, offset: 0, bit: 8 }, false)).rejects.toThrow(
      /should be/,
    );
  }
});

test('positions follow from the seed and reach every file', () => {
  const places = randomMutations(specimens, 2000, 1);
  expect(places).toEqual(randomMutations(specimens, 2000, 1));
  const files = specimens.flatMap((specimen) =>
    [...specimen.files.keys()].map((file) => `${specimen.name}/${file}`),
  );
  expect(new Set(places.map(({ specimen, file }) => `${specimen}/${file}`))).toEqual(new Set(files));
});

test('a directory on disk loads into memory as it is, without its lock', async () => {
  const root = mkdtempSync(join(tmpdir(), 'varve-image-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const db = await open(join(root, 'db'));
  db.keyspace('a').put(Buffer.from('k'), Buffer.from('v'));
  db.syncNow('os');
  const image = readDirectoryImage(nodeFileSystem, join(root, 'db'));
  await db.close();
  const copy = await open('/copy', { fileSystem: loadDirectoryImage(image, '/copy') });
  expect([...image.keys()].some((name) => name.startsWith('LOCK'))).toBe(false);
  expect(copy.keyspace('a').get(Buffer.from('k'))).toEqual(new Uint8Array(Buffer.from('v')));
  await copy.close();
});
