import { expect, test } from 'vitest';
import { SyncPolicy } from './sync-policy.ts';

test('manual never asks for a sync', () => {
  const policy = new SyncPolicy('manual');
  for (let i = 0; i < 5000; i++) expect(policy.onAppend(() => i)).toBe('none');
  expect(policy.dueAt()).toBeUndefined();
});

test('everyWrite asks for one at each append', () => {
  const policy = new SyncPolicy('everyWrite');
  expect(policy.onAppend(() => 0)).toBe('sync-now');
  policy.onSynced(1);
  expect(policy.onAppend(() => 2)).toBe('sync-now');
  expect(policy.dueAt()).toBeUndefined();
});

test('everyN asks at the Nth append, once', () => {
  const policy = new SyncPolicy({ everyN: 3 });
  expect([1, 2, 3, 4, 5].map((now) => policy.onAppend(() => now))).toEqual([
    'none',
    'none',
    'sync-background',
    'none',
    'none',
  ]);
  expect(policy.onAppend(() => 6)).toBe('sync-background');
  expect(policy.dueAt()).toBeUndefined();
});

test('everyN counts on from what an fsync did not cover', () => {
  const policy = new SyncPolicy({ everyN: 3 });
  for (const now of [1, 2, 3]) policy.onAppend(() => now);
  policy.onAppend(() => 4);
  policy.onAppend(() => 5);
  policy.onSynced(6, 2);
  expect(policy.onAppend(() => 7)).toBe('sync-background');
});

test('interval is due so long after the oldest append that is not on disk', () => {
  const policy = new SyncPolicy({ intervalMs: 200 });
  expect(policy.dueAt()).toBeUndefined();
  policy.onAppend(() => 1000);
  policy.onAppend(() => 1100);
  expect(policy.dueAt()).toBe(1200);
  policy.onSynced(1210);
  expect(policy.dueAt()).toBeUndefined();
  policy.onAppend(() => 1300);
  expect(policy.dueAt()).toBe(1500);
  policy.onSynced(1510, 1);
  expect(policy.dueAt()).toBe(1710);
});

test('hybrid is both', () => {
  const policy = new SyncPolicy({ everyN: 2, intervalMs: 50 });
  expect(policy.onAppend(() => 10)).toBe('none');
  expect(policy.dueAt()).toBe(60);
  expect(policy.onAppend(() => 20)).toBe('sync-background');
});
