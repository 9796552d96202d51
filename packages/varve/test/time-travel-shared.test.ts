/** Reads of the past in attached threads: the owner says what can be read, the thread registers it for itself. */
import { utf8 } from 'varve';
import { expect, onTestFinished, test } from 'vitest';
import { openAttached } from './attached-database.ts';
import { expectRefusal } from './refusal.ts';
import { temporaryDirectory } from './temp-directory.ts';

test('states, versions and differences are there in every thread, and stay while they are read', async () => {
  const here = await openAttached(temporaryDirectory(), { sync: 'manual' });
  onTestFinished(() => here.close());
  const data = here.keyspace('data', { key: utf8, value: utf8, retention: { ms: 3_600_000 } });
  const other = here.keyspace('other', { key: utf8, value: utf8 });
  other.put('a', '1');
  const first = data.put('a', '1');
  data.put('a', '2');
  data.put('b', '2');
  const last = data.delete('a');
  const past = here.at(first);
  await here.flush();
  await here.compact();
  expect(past.get(data, 'a')).toBe('1');
  expect([...past.range(data)]).toEqual([['a', '1']]);
  await expectRefusal(() => past.get(other, 'a'), 'OUTSIDE_HISTORY', 'invalid', { keyspace: 'other' });
  past.close();
  expect(data.history('a').map(({ value }) => value)).toEqual([undefined, '2', '1']);
  expect([...here.diff(first, last, { keyspace: data })]).toEqual([
    { keyspace: 'data', key: 'a', before: '1', after: undefined },
    { keyspace: 'data', key: 'b', before: undefined, after: '2' },
  ]);
  await expectRefusal(() => here.diff(first, last), 'OPTION_INVALID', 'invalid');
  using now = here.at(new Date(here.stats().timeMs));
  expect(now.get(data, 'b')).toBe('2');
  await expectRefusal(() => here.at(new Date(0)), 'OUTSIDE_HISTORY', 'invalid');
  await expectRefusal(() => here.at(last + 100), 'OUTSIDE_HISTORY', 'invalid');
  for (const bad of [Number.NaN, () => 1, Symbol('x')]) {
    await expectRefusal(() => here.at(bad as never), 'POINT_INVALID', 'invalid');
  }
  now.close();
  expect(here.stats().snapshots.count).toBe(0);
});
