/**
 * Ranges of one prefix with and without prefixes in the filter: a keyspace of users (8 bytes) with 10 entries each, written
 * in random order, so that every table spans all of them. Once as 8 tables of level 0, once compacted to one level.
 */
import { type Database, type Keyspace, open } from 'varve';
import { MemoryFs } from 'varve/testing';
import { formatBytes } from '../../format.ts';
import { KeyBuffer, scatterStep } from '../../keys.ts';
import { Random } from '../../random.ts';
import { nanosecondsEach, row } from './rounds.ts';

const USERS = 20_000;
const TABLES = 8;
const ENTRIES_EACH = 10;
const PREFIX_BYTES = 8;
const CALLS = 200;
const ROUNDS = 41;

export async function measurePrefixes(): Promise<void> {
  const off = await filled(0);
  const on = await filled(PREFIX_BYTES);
  console.log(row(['prefix ranges', 'setting 0, us', 'setting 8, us', 'ratio']));
  print('8 tables of level 0', off, on);
  for (const { db } of [off, on]) await db.compact();
  print('compacted', off, on);
  for (const { db } of [off, on]) await db.close();
}

interface Filled {
  readonly db: Database;
  readonly users: Keyspace<Uint8Array, Uint8Array>;
}

async function filled(filterPrefixBytes: number): Promise<Filled> {
  const db = await open('/bench', {
    fileSystem: new MemoryFs(),
    memoryBytesMax: 1024 ** 3,
    keyspaceDefaults: { filterPrefixBytes, compaction: { strategy: 'leveled', level0Files: 100 } },
  });
  const users = db.keyspace('users');
  const key = new KeyBuffer(16);
  const value = new Uint8Array(100).fill(118);
  const step = scatterStep(USERS);
  // A user's entries are written together, so most tables have none of him.
  for (let table = 0, at = 0; table < TABLES; table++) {
    for (let i = 0; i < USERS / TABLES; i++, at = (at + step) % USERS) {
      for (let n = 0; n < ENTRIES_EACH; n++) users.put(userKey(key, at * 2, n), value);
    }
    await db.flush();
  }
  return { db, users };
}

/** 8 digits of the user, 8 of the entry. */
function userKey(key: KeyBuffer, user: number, n: number): Uint8Array {
  key.set(n);
  let rest = user;
  for (let at = PREFIX_BYTES - 1; at >= 0; at--, rest = Math.floor(rest / 10))
    key.bytes[at] = 48 + (rest % 10);
  return key.bytes;
}

function print(title: string, off: Filled, on: Filled): void {
  const key = new KeyBuffer(16);
  const random = new Random(3);
  const read = (users: Filled['users'], odd: number, reverse: boolean) => ({
    name: '',
    operations: CALLS,
    run: () => {
      let found = 0;
      for (let call = 0; call < CALLS; call++) {
        const prefix = userKey(key, random.below(USERS) * 2 + odd, 0).subarray(0, PREFIX_BYTES);
        const cursor = users.range({ prefix, reverse }).cursor();
        while (cursor.next()) found++;
        cursor.close();
      }
      return found;
    },
  });
  // What reads most goes first: it compiles the code for all.
  const kinds: [string, number, boolean][] = [
    ['10 entries', 0, false],
    ['10 entries, reverse', 0, true],
    ['nothing there', 1, false],
  ];
  for (const [name, odd, reverse] of kinds) {
    const times = nanosecondsEach([read(off.users, odd, reverse), read(on.users, odd, reverse)], ROUNDS);
    const [offUs, onUs] = times.map((ns) => ns / 1000);
    console.log(row([`${title}: ${name}`, offUs!.toFixed(2), onUs!.toFixed(2), (onUs! / offUs!).toFixed(2)]));
  }
  const held = [off, on].map(({ db }) => formatBytes(tableBytes(db)));
  console.log(row([`${title}: bytes of tables`, ...held]));
}

function tableBytes(db: Database): number {
  return Object.values(db.stats().keyspaces).reduce((sum, keyspace) => sum + keyspace.bytes, 0);
}
