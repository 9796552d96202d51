/**
 * Snapshots that begin while the edit of a compaction with a filter is on its way to the manifest: they keep what they saw, since
 * that edit is taken back, whatever happens in between.
 */
import { type CompactionFilter, type Database, type Keyspace, open, type Snapshot, utf8 } from 'varve';
import { FaultFs, Random, SimFs } from 'varve/testing';
import { expect, test } from 'vitest';

const dropping: CompactionFilter = {
  name: 'dropping',
  version: 1,
  filter: ({ key }) => (utf8.decode(key).startsWith('drop') ? 'remove' : 'keep'),
};
const KEYS = ['drop1', 'drop2', 'drop3', 'keep1', 'keep2'];

interface World {
  readonly db: Database;
  readonly keyspace: Keyspace<string, string>;
}

async function opened(fileSystem: SimFs | FaultFs): Promise<World> {
  const db = await open('/db', { fileSystem });
  const keyspace = db.keyspace('texts', {
    key: utf8,
    value: utf8,
    blobValueBytes: 64,
    compactionFilter: dropping,
  });
  return { db, keyspace };
}

/** Two tables that a compaction makes one of, with long values in blob files. */
async function filled(fileSystem: SimFs | FaultFs): Promise<World> {
  const world = await opened(fileSystem);
  for (const round of ['old', 'new']) {
    for (const [i, key] of KEYS.entries()) world.keyspace.put(key, round.repeat(i % 2 === 0 ? 1 : 100));
    await world.db.flush();
  }
  return world;
}

/** Calls `run` at each sync of the manifest from now on, with how many there were. */
function atManifestSync(fs: SimFs, run: (count: number) => void): void {
  let count = 0;
  fs.onOperation = (operation, path) => {
    if (operation.endsWith('ync') && path.includes('MANIFEST')) run(++count);
  };
}

const tables = (fs: SimFs): string[] => fs.list('/db').filter((name) => name.endsWith('.sst'));

test('a snapshot of that moment keeps what it saw, and the filter has its way when it is closed', async () => {
  const fs = new SimFs();
  const { db, keyspace } = await filled(fs);
  const before = tables(fs);
  let snapshot: Snapshot | undefined;
  atManifestSync(fs, () => (snapshot ??= db.snapshot()));
  await db.compact();
  const seen = [...snapshot!.range(keyspace)];
  expect(seen.map(([key]) => key)).toEqual(KEYS);
  expect(seen.map(([, value]) => value)).toEqual(KEYS.map((_, i) => 'new'.repeat(i % 2 === 0 ? 1 : 100)));
  expect([...keyspace.range()]).toEqual(seen);
  expect((await db.verify()).problems).toEqual([]);
  snapshot!.close();
  await db.compact();
  expect([...keyspace.range().keys()]).toEqual(['keep1', 'keep2']);
  expect((await db.verify()).problems).toEqual([]);
  await db.close();
  // Neither the tables of before are left nor those that were taken back.
  expect(tables(fs)).toHaveLength(1);
  expect(before).not.toContain(tables(fs)[0]);
  const again = await opened(fs);
  expect([...again.keyspace.range().keys()]).toEqual(['keep1', 'keep2']);
  await again.db.close();
});

test('a crash before the edit is taken back leaves what the filter made, and a database that is whole', async () => {
  const fs = new SimFs();
  const { db } = await filled(fs);
  let left: SimFs | undefined;
  const crashed = new Promise<void>((resolve) => {
    atManifestSync(fs, (count) => {
      if (count === 1) db.snapshot();
      if (count !== 2) return;
      left = fs.crash(new Random(1), { data: 'nothing', names: 'nothing' });
      resolve();
    });
  });
  db.compact().catch(() => undefined);
  await crashed;
  const { db: after, keyspace } = await opened(left!);
  expect([...keyspace.range().keys()]).toEqual(['keep1', 'keep2']);
  expect((await after.verify()).problems).toEqual([]);
  await after.compact();
  await after.close();
});

/** A snapshot that is made when an edit is about to be on disk; from then on the disk does what `fails` asks of it. */
function snapshotAtSync(db: Database, disk: SimFs, fails: () => void): () => Snapshot | undefined {
  let snapshot: Snapshot | undefined;
  atManifestSync(disk, (count) => {
    if (count > 1) return;
    snapshot = db.snapshot();
    fails();
  });
  return () => snapshot;
}

test('on a full disk the snapshot keeps what it saw, and the edit is taken back when there is room', async () => {
  const disk = new SimFs();
  const fs = new FaultFs(disk);
  const { db, keyspace } = await filled(fs);
  const snapshot = snapshotAtSync(db, disk, () => fs.add({ kind: 'ENOSPC', path: 'MANIFEST', times: 2 }));
  await db.compact();
  expect([...snapshot()!.range(keyspace).keys()].length).toBe(KEYS.length);
  snapshot()!.close();
  await db.compact();
  expect([...keyspace.range().keys()]).toEqual(['keep1', 'keep2']);
  expect((await db.verify()).problems).toEqual([]);
  await db.close();
});

test('a manifest that can not be written any more leaves readers what they saw', async () => {
  const disk = new SimFs();
  const fs = new FaultFs(disk);
  const { db, keyspace } = await filled(fs);
  const snapshot = snapshotAtSync(db, disk, () =>
    fs.add({ kind: 'EIO', operations: ['write'], path: 'MANIFEST', times: 1 }),
  );
  await expect(db.compact()).rejects.toMatchObject({ kind: 'io' });
  expect([...snapshot()!.range(keyspace)].length).toBe(KEYS.length);
  snapshot()!.close();
  await db.close().catch(() => undefined);
  const again = await opened(disk);
  expect([...again.keyspace.range().keys()]).toEqual(['keep1', 'keep2']);
  expect((await again.db.verify()).problems).toEqual([]);
  await again.db.close();
});
