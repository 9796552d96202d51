import { expect, test } from 'vitest';
import { corruption, VarveError } from '../../base/errors.ts';
import { workerLost } from '../../workers/job-runner.ts';
import type { Tree } from '../tree.ts';
import { compactionRefused, Failures } from './failures.ts';

const tree = { name: 'data' } as Tree;
const other = { name: 'other' } as Tree;
const damaged = corruption('damaged', { file: 'x' });

test('a full disk is waited out, however often', () => {
  const failures = new Failures();
  const full = new VarveError('io', 'IO_ERROR', 'no room', { system: 'ENOSPC' });
  for (let i = 0; i < 10; i++) expect(failures.failed(tree, full)).toBe('wait');
  expect(failures.of(tree)).toBeUndefined();
});

test('a lost thread is tried again twice in a row, a success in between counts anew', () => {
  const failures = new Failures();
  const lose = (): string => failures.failed(tree, workerLost());
  expect([lose(), lose()]).toEqual(['again', 'again']);
  failures.succeeded(tree);
  expect([lose(), lose(), lose()]).toEqual(['again', 'again', 'stop']);
  expect(failures.of(tree)).toMatchObject({ code: 'WORKER_LOST' });
});

test('everything else stops the keyspace, and no other', () => {
  const failures = new Failures();
  expect(failures.failed(tree, damaged)).toBe('stop');
  expect(failures.of(tree)).toBe(damaged);
  expect(failures.of(other)).toBeUndefined();
});

test('who asks for a compaction then is told of what stopped it, of its kind', () => {
  expect(compactionRefused(tree, damaged)).toMatchObject({
    kind: 'corruption',
    code: 'CORRUPTION',
    message: "keyspace 'data' does not compact: damaged",
    context: { keyspace: 'data', file: 'x' },
    cause: damaged,
  });
  expect(compactionRefused(tree, 'odd')).toMatchObject({ kind: 'internal' });
});
