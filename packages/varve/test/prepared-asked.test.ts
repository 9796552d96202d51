/** Decisions on prepared transactions that another thread asks for, met by the owner in the middle of what it does itself. */
import { type Database, type DatabaseOptions, open, type Keyspace, utf8 } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { REQUESTS } from '../src/engine/sharing/control-words.ts';
import { LockingThread } from './locking-thread.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

interface World {
  readonly path: string;
  readonly db: Database;
  readonly data: Keyspace<string, string>;
  readonly there: LockingThread;
}

const texts = (db: Database): Keyspace<string, string> => db.keyspace('texts', { key: utf8, value: utf8 });

async function world(options: DatabaseOptions = {}): Promise<World> {
  const path = temporaryDirectory();
  const db = await open(path, { sync: 'manual', logBytesMax: 64 * 1024, ...options });
  onTestFinished(() => db.close());
  const data = texts(db);
  data.put('k', 'old');
  data.put('other', 'old');
  return { path, db, data, there: await LockingThread.of(db) };
}

async function prepare(db: Database, data: Keyspace<string, string>): Promise<void> {
  const tx = db.begin();
  tx.put(data, 'k', 'prepared');
  await tx.prepare('one');
}

/** Keeps this thread until `isSo`. */
function spinUntil(isSo: () => boolean): void {
  for (const until = performance.now() + 20_000; !isSo(); ) expect(performance.now()).toBeLessThan(until);
}

/** Runs `ask`, and keeps this thread until what another thread asks of the owner has come. */
function asked<T>(db: Database, ask: () => T): T {
  const words = new Int32Array((db.share() as unknown as { control: SharedArrayBuffer }).control);
  const before = Atomics.load(words, REQUESTS);
  const made = ask();
  spinUntil(() => Atomics.load(words, REQUESTS) !== before);
  return made;
}

test('it is decided once, when the owner and another thread decide at the same time', async () => {
  const { db, data, there } = await world();
  for (const isCommit of [false, true]) {
    for (const decide of [() => db.commitPrepared('one'), () => db.rollbackPrepared('one')]) {
      data.put('k', 'old');
      await prepare(db, data);
      const { sequence } = db.stats();
      const remote = asked(db, () => there.call('decide', 'one', isCommit));
      await expectRefusal(decide, 'PREPARED_NOT_FOUND', 'invalid');
      expect(await remote).toBe(sequence + 1);
      expect(db.stats().sequence).toBe(sequence + 1);
      expect(data.get('k')).toBe(isCommit ? 'prepared' : 'old');
      expect(db.stats().transactions).toMatchObject({ locks: 0, prepared: 0 });
    }
  }
});

test('what is decided while its record is written anew stays decided', async () => {
  const { db, data, there, path } = await world();
  await prepare(db, data);
  // In a turn of its own: what is put off comes before the next message.
  await there.call('locks');
  for (let i = 0; i < 100; i++) data.put(`fill-${i}`, 'v'.repeat(60_000));
  const remote = asked(db, () => there.call('decide', 'one', true));
  await remote;
  data.put('k', 'newer');
  expect(db.preparedTransactions()).toEqual([]);
  await there.call('close');
  await db.close();
  const again = await open(path);
  onTestFinished(() => again.close());
  expect(again.preparedTransactions()).toEqual([]);
  expect(texts(again).get('k')).toBe('newer');
});

test('an update that writes elsewhere meanwhile does not overwrite it', async () => {
  const { db, data, there } = await world();
  await prepare(db, data);
  const seen: (string | undefined)[] = [];
  let remote: Promise<number> | undefined;
  data.update('k', (old) => {
    seen.push(old);
    remote ??= asked(db, () => there.call('decide', 'one', true));
    data.put('other', 'new');
    return `${old}, updated`;
  });
  await remote;
  expect(data.get('k')).toBe('prepared, updated');
  expect(seen).toEqual(['old', 'prepared']);
});

test('what the owner was too busy to decide in time it does not decide later', async () => {
  const { db, data, there } = await world({ syncWaitMsMax: 50 });
  await prepare(db, data);
  const gate = new SharedArrayBuffer(4);
  const remote = expectRefusal(() => there.call('commitThenOpen', 'one', gate), 'OWNER_BUSY', 'busy');
  spinUntil(() => Atomics.load(new Int32Array(gate), 0) === 1);
  await remote;
  // Behind it on the same way.
  expect(await there.call('prepared')).toEqual(['one']);
  expect(data.get('k')).toBe('old');
  await there.call('decide', 'one', true);
  expect(data.get('k')).toBe('prepared');
});
