/** A quiet database on a simulated disk, by a scripted clock, that counts what its log does; and what a crash leaves of it. */
import { type Database, type DatabaseOptions, type Keyspace, utf8 } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { onTestFinished } from 'vitest';
import { ManualScheduler } from './manual-scheduler.ts';

export interface World {
  readonly db: Database;
  readonly fs: SimFs;
  readonly time: ManualScheduler;
  readonly data: Keyspace<string, string>;
  /** fsyncs of the log since the last call. */
  syncs(): number;
  /** Writes to the log since the last call. */
  handOvers(): number;
}

/** A quiet database on a simulated disk: everything that opening left to do is done. */
export async function world(options: DatabaseOptions = {}, fs = new SimFs()): Promise<World> {
  const time = new ManualScheduler();
  let syncs = 0;
  let handOvers = 0;
  fs.onOperation = (operation, path) => {
    if (!path.endsWith('.wal')) return;
    if (operation === 'dataSync' || operation === 'sync') syncs++;
    if (operation === 'write') handOvers++;
  };
  const db = await time.open('/db', { fileSystem: fs, sync: 'manual', ...options });
  onTestFinished(async () => {
    if (!fs.stopped) await db.close();
  });
  const data = db.keyspace('data', { key: utf8, value: utf8 });
  db.syncNow('disk');
  await time.advance(1000);
  syncs = handOvers = 0;
  const since = (take: () => number): (() => number) => take;
  return {
    db,
    fs,
    time,
    data,
    syncs: since(() => {
      const count = syncs;
      syncs = 0;
      return count;
    }),
    handOvers: since(() => {
      const count = handOvers;
      handOvers = 0;
      return count;
    }),
  };
}

/** What is there after the machine of `fs` died: opened again on what is left. */
async function survivors(left: SimFs): Promise<string[]> {
  const { db, data } = await world({}, left);
  const keys = [...data.range().keys()];
  await db.close();
  return keys;
}

export const afterPowerLoss = (fs: SimFs): Promise<string[]> =>
  survivors(fs.crash(new Random(1), { data: 'nothing', names: 'nothing' }));
export const afterKill = (fs: SimFs): Promise<string[]> => survivors(fs.crashProcess());
