/**
 * getMany gives what single gets give: whatever the keys lie in (memtables, rows, levels, cold blocks), at every sequence.
 */
import {
  type Bytes,
  json,
  type KeyCodec,
  type Keyspace,
  type Snapshot,
  u64,
  utf8,
  type ValueCodec,
} from 'varve';
import { Random, SimFs } from 'varve/testing';
import { expect, test } from 'vitest';
import { bytes, inMemory } from './in-memory.ts';
import { ManualScheduler } from './manual-scheduler.ts';

const KEYS = 400;

/** Of several lengths, some of them prefixes of others. */
function keyOf(random: Random): Bytes {
  const index = random.below(KEYS);
  return bytes(`key ${String(index).padStart(4, '0')}${'.'.repeat(index % 7)}`);
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(`a batch of reads is right over levels, snapshots, deletes and range deletes (seed ${seed})`, async () => {
    const random = new Random(seed);
    const time = new ManualScheduler();
    const cacheBytesMax = random.pick([0, 16_384, 65_536, 4_194_304]);
    const db = await time.open('/db', { fileSystem: new SimFs(), cacheBytesMax, sync: 'manual' });
    const valueBytes = random.pick([20, 300, 3000]);
    const space = db.keyspace('k', {
      blockBytes: random.pick([256, 4096, 32_768]),
      tableBytes: 65_536,
      memtableBytes: 65_536,
      levelRatio: 2,
      compression: random.pick(['none', 'lz4'] as const),
      ...random.pick([{}, { blobValueBytes: 64 }, { blobValueBytes: 1000 }]),
      filterBitsPerKey: random.pick([0, 2, 10]),
    });
    const snapshots: Snapshot[] = [];
    const write = (): void => {
      for (let i = random.below(120); i > 0; i--) {
        const key = keyOf(random);
        if (random.oneIn(60))
          space.deleteRange({ gte: key, lt: Buffer.concat([key.subarray(0, 7), bytes('~')]) });
        else if (random.oneIn(5)) space.delete(key);
        else space.put(key, bytes(`${random.below(1e6)} ${'v'.repeat(random.below(valueBytes))}`));
      }
    };
    const compare = (snapshot: Snapshot | undefined): void => {
      const keys = Array.from({ length: random.pick([0, 1, 7, 8, 50, 128, 129, 300]) }, () => keyOf(random));
      const many = snapshot === undefined ? space.getMany(keys) : snapshot.getMany(space, keys);
      const single = keys.map((key) => (snapshot === undefined ? space.get(key) : snapshot.get(space, key)));
      expect(many.length).toBe(keys.length);
      for (const [i, value] of single.entries()) {
        if (Buffer.compare(value ?? bytes('none'), many[i] ?? bytes('none')) !== 0) {
          expect.fail(`${Buffer.from(keys[i]!)}: ${String(many[i])}, wanted ${String(value)}`);
        }
      }
    };
    for (let step = 0; step < 40; step++) {
      write();
      if (random.oneIn(3)) await time.run(db.flush());
      if (random.oneIn(12)) await time.run(db.compact());
      if (random.oneIn(5)) snapshots.push(db.snapshot());
      if (snapshots.length > 3) snapshots.shift()!.close();
      compare(undefined);
      compare(undefined);
      for (const snapshot of snapshots) compare(snapshot);
    }
    for (const snapshot of snapshots) snapshot.close();
    await time.run(db.close());
  });
}

test('values that codecs make are those of single gets', async () => {
  const db = await inMemory();
  const names = db.keyspace('names', { key: utf8, value: utf8 });
  const objects = db.keyspace('objects', { key: u64, value: json<{ n: number; text: string }>() });
  for (let i = 0; i < 300; i++) {
    names.put(`n${i}`, 'x'.repeat(i * 100));
    objects.put(i, { n: i, text: 'é'.repeat(i) });
  }
  await db.flush();
  const keys = Array.from({ length: 320 }, (_, i) => (i * 7) % 330);
  expect(names.getMany(keys.map((i) => `n${i}`))).toEqual(keys.map((i) => names.get(`n${i}`)));
  expect(objects.getMany(keys)).toEqual(keys.map((i) => objects.get(i)));
});

test("a result is the caller's own, also of a key that was asked for twice", async () => {
  const db = await inMemory();
  const space = db.keyspace('k');
  for (let i = 0; i < 20; i++) space.put(bytes(`k${i}`), bytes('value'.repeat(20)));
  await db.flush();
  const keys = Array.from({ length: 20 }, (_, i) => bytes(`k${i % 10}`));
  const first = space.getMany(keys);
  first[0]!.fill(0);
  expect(first[10]).toEqual(bytes('value'.repeat(20)));
  expect(space.getMany(keys)[0]).toEqual(bytes('value'.repeat(20)));
});

test('codecs that write, read and ask for many keys themselves disturb nothing', async () => {
  const db = await inMemory({ memtableBytesMax: 1 << 20 });
  const other = db.keyspace('other', { key: utf8, value: utf8 });
  const scratch = new Uint8Array(4);
  let calls = 0;
  const meddle = (): void => {
    calls++;
    other.put(`k${calls % 50}`, 'v'.repeat(calls % 3000));
    if (calls % 5 === 0) other.getMany(Array.from({ length: 30 }, (_, i) => `k${i}`));
    if (calls % 7 === 0) space.put(calls % 100, `late ${calls}`);
  };
  const isMeddling = { now: false };
  const key: KeyCodec<number> = {
    name: 'meddling-key',
    // The same memory for every key.
    encode(value) {
      if (isMeddling.now) meddle();
      new DataView(scratch.buffer).setUint32(0, value);
      return scratch;
    },
    decode: (stored) => new DataView(stored.buffer, stored.byteOffset).getUint32(0),
  };
  const value: ValueCodec<string> = {
    name: 'meddling-value',
    encode: (given) => bytes(given),
    decode(stored) {
      if (isMeddling.now) meddle();
      return new TextDecoder().decode(stored);
    },
  };
  const space: Keyspace<number, string> = db.keyspace('meddled', { key, value });
  for (let i = 0; i < 200; i++) space.put(i, `first ${i}`);
  await db.flush();
  const snapshot = db.snapshot();
  const keys = Array.from({ length: 300 }, (_, i) => (i * 13) % 210);
  const wanted = keys.map((i) => (i < 200 ? `first ${i}` : undefined));
  isMeddling.now = true;
  expect(space.getMany(keys.slice(0, 150))).toEqual(wanted.slice(0, 150));
  expect(snapshot.getMany(space, keys)).toEqual(wanted);
  isMeddling.now = false;
  snapshot.close();
  expect(space.getMany(keys)).toEqual(keys.map((i) => space.get(i)));
});

test('a key that is none, and a codec that fails, leave the next call as it was', async () => {
  const db = await inMemory();
  const space = db.keyspace('k', { key: utf8, value: json<number>() });
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
  for (const [i, name] of keys.entries()) space.put(name, i);
  expect(() => space.getMany([...keys, 5 as never])).toThrow(
    expect.objectContaining({ code: 'KEY_INVALID' }),
  );
  expect(space.getMany(keys)).toEqual(keys.map((_, i) => i));
});
