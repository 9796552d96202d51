/** Merges in other threads, readers in other processes, and after a crash. */
import { append, attach, type Keyspace, max, open, utf8 } from 'varve';
import { MemoryFs, SimFs } from 'varve/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ownerThread } from './attached-database.ts';
import { commas } from './fixtures/operators.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

const appending = { key: utf8, value: utf8, mergeOperator: append } as const;

describe('other threads and processes', () => {
  test('an attached thread merges and reads with the operator that it gives, and the owner stores its name', async () => {
    const path = temporaryDirectory();
    const owner = await ownerThread(path, {});
    const db = await attach(owner.handle);
    const plain = db.keyspace('plain', { key: utf8, value: utf8 });
    plain.put('x', '1');
    const texts: Keyspace<string, string> = db.keyspace('texts', appending);
    texts.merge('a', '1');
    texts.put('b', '0');
    db.write(db.batch().merge(texts, 'a', '2').merge(texts, 'b', '1').merge(texts, 'b', '2'));
    expect([texts.get('a'), texts.get('b')]).toEqual(['12', '012']);
    await db.flush();
    await db.compact();
    expect([...texts.range()]).toEqual([
      ['a', '12'],
      ['b', '012'],
    ]);
    await expectRefusal(
      () => db.keyspace('texts', { key: utf8, value: utf8, mergeOperator: max }),
      'MERGE_OPERATOR_CHANGED',
      'invalid',
    );
    await expectRefusal(
      () =>
        db.keyspace('texts', { compactionFilter: { name: 'f', version: 1, filter: () => 'keep' } } as never),
      'OPTION_INVALID',
      'invalid',
    );
    await db.close();
    await owner.close();
    await using again = await open(path);
    await expectRefusal(
      () => again.keyspace('texts', { key: utf8, value: utf8, mergeOperator: max }),
      'MERGE_OPERATOR_CHANGED',
      'invalid',
    );
    expect(again.keyspace('texts', appending).get('a')).toBe('12');
  });

  test('a read-only database follows merges, with and without the operator', async () => {
    const fileSystem = new MemoryFs();
    const writer = await open('/db', { fileSystem });
    const texts = writer.keyspace('texts', { key: utf8, value: utf8 });
    texts.put('plain', '1');
    await writer.sync('os');
    const reader = await open('/db', { fileSystem, readOnly: true });
    onTestFinished(async () => {
      await reader.close();
      await writer.close();
    });
    writer.keyspace('texts', appending);
    texts.merge('a', '1');
    texts.merge('a', '2');
    await writer.sync('os');
    await reader.refresh();
    const seen = reader.keyspace('texts', { key: utf8, value: utf8 });
    expect(seen.get('plain')).toBe('1');
    await expectRefusal(() => seen.get('a'), 'MERGE_OPERATOR_MISSING', 'invalid', {
      keyspace: 'texts',
      operator: 'varve.append',
    });
    await writer.flush();
    await reader.refresh();
    // The writer's flush has made a value of them, for which nobody needs the operator.
    expect(seen.get('a')).toBe('12');
    await expectRefusal(
      () => reader.keyspace('texts', { key: utf8, value: utf8, mergeOperator: max }),
      'MERGE_OPERATOR_CHANGED',
      'invalid',
    );
    reader.keyspace('texts', appending);
    texts.merge('a', '3');
    await writer.sync('os');
    await reader.refresh();
    expect(seen.get('a')).toBe('123');
  });

  test('the name of an operator survives when only the log has it', async () => {
    const fs = new SimFs();
    const db = await open('/db', { fileSystem: fs });
    const late = db.keyspace('late', { key: utf8, value: utf8 });
    late.put('a', '0');
    db.keyspace('late', appending);
    late.merge('a', '1');
    const made = db.keyspace('made', { key: utf8, value: utf8, mergeOperator: { operator: commas } });
    made.merge('a', '1');
    db.syncNow('disk');
    fs.stop();
    const after = await open('/db', { fileSystem: fs.crashProcess() });
    onTestFinished(() => after.close());
    const read = (name: string, operator: string): Promise<unknown> =>
      expectRefusal(
        () => after.keyspace(name, { key: utf8, value: utf8 }).get('a'),
        'MERGE_OPERATOR_MISSING',
        'invalid',
        {
          keyspace: name,
          operator,
        },
      );
    await read('late', 'varve.append');
    await read('made', 'commas');
    expect(after.keyspace('late', appending).get('a')).toBe('01');
  });

  test('a checkpoint has operands, and whose they are', async () => {
    const path = temporaryDirectory();
    await using db = await open(path);
    const texts = db.keyspace('texts', appending);
    texts.put('a', '0');
    await db.flush();
    texts.merge('a', '1');
    await db.checkpoint(`${path}-copy`);
    await using copy = await open(`${path}-copy`);
    await expectRefusal(
      () => copy.keyspace('texts', { key: utf8, value: utf8, mergeOperator: max }),
      'MERGE_OPERATOR_CHANGED',
      'invalid',
    );
    expect(copy.keyspace('texts', appending).get('a')).toBe('01');
  });
});
