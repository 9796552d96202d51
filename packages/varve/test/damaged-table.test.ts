import { open, VarveError } from 'varve';
import { MemoryFs } from 'varve/testing';
import { expect, test } from 'vitest';

const key = (number: number): Uint8Array => Buffer.from(String(number).padStart(8, '0'));

/** A database with one table in its deepest level, of which one byte is changed. */
async function damaged(): Promise<MemoryFs> {
  const fs = new MemoryFs();
  const db = await open('/db', { fileSystem: fs });
  const keyspace = db.keyspace('data');
  for (let i = 0; i < 1000; i++) keyspace.put(key(i), key(i));
  await db.compact();
  await db.close();
  const table = fs.list('/db').find((name) => name.endsWith('.sst'))!;
  const file = fs.open(`/db/${table}`, 'readWrite');
  const byte = new Uint8Array(1);
  file.read(byte, 0, 1, 5000);
  byte[0]! ^= 1;
  file.write(byte, 0, 1, 5000);
  file.close();
  return fs;
}

test('a compaction that meets a damaged table fails as corruption, and says where', async () => {
  const db = await open('/db', { fileSystem: await damaged() });
  const error = await db.compact().catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(VarveError);
  expect(error).toMatchObject({
    kind: 'corruption',
    code: 'CORRUPTION',
    context: {
      keyspace: 'data',
      file: expect.stringMatching(/\.sst$/) as unknown,
      offset: expect.any(Number) as unknown,
    },
  });
  await db.close();
});

test('a table that is missing is found at open, before anything is changed', async () => {
  const fs = new MemoryFs();
  const db = await open('/db', { fileSystem: fs });
  for (let i = 0; i < 10; i++) db.keyspace('data').put(key(i), key(i));
  await db.flush();
  await db.close();
  const table = fs.list('/db').find((name) => name.endsWith('.sst'))!;
  fs.rename(`/db/${table}`, `/db/999999.sst`);
  const before = fs.list('/db');
  for (const readOnly of [true, false]) {
    const error = await open('/db', { fileSystem: fs, readOnly }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({
      kind: 'corruption',
      code: 'CORRUPTION',
      context: { file: `/db/${table}` },
    });
  }
  expect(fs.list('/db')).toEqual(before);
  fs.rename('/db/999999.sst', `/db/${table}`);
  const again = await open('/db', { fileSystem: fs });
  expect(again.keyspace('data').count()).toBe(10);
  await again.close();
});

test('salvage goes on without a table that is missing, and says so', async () => {
  const fs = new MemoryFs();
  const db = await open('/db', { fileSystem: fs });
  db.keyspace('lost').put(key(1), key(1));
  db.keyspace('kept').put(key(2), key(2));
  await db.flush();
  await db.close();
  fs.remove(`/db/${fs.list('/db').find((name) => name.endsWith('.sst'))!}`);
  const salvaged = await open('/db', { fileSystem: fs, recovery: 'salvage' });
  expect(salvaged.recovered.warnings).toEqual([expect.stringMatching(/\.sst is missing$/)]);
  expect(salvaged.keyspace('lost').count() + salvaged.keyspace('kept').count()).toBe(1);
  await salvaged.close();
});
