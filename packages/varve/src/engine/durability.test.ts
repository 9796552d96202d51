/**
 * Durability in a thread whose database another thread closes: what was started goes on to its end without an error of its own.
 */
import { expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { closed } from '../base/errors.ts';
import { Poison } from '../runtime/poison.ts';
import type { Scheduler } from '../runtime/scheduler.ts';
import type { DurableLog } from '../wal/log-options.ts';
import { SyncPolicy } from '../wal/sync-policy.ts';
import type { JobOutcome, JobRunner } from '../workers/job-runner.ts';
import { Durability } from './durability.ts';

test('an fsync that ends after another thread has closed the database throws nothing and poisons nothing', async () => {
  let isClosed = false;
  const ended: ((outcome: JobOutcome) => void)[] = [];
  const log = {
    handedOverSequence: 1,
    syncedSequence: 0,
    lastSequence: 1,
    diskFull: false,
    handOver: () => undefined,
    unsynced: () => ({ paths: ['log'], directory: undefined, upTo: { segment: 1, offset: 9 }, sequence: 1 }),
    markSynced: () => undefined,
    close: () => undefined,
  } as unknown as DurableLog;
  const runner = {
    hold: () => undefined,
    unhold: () => undefined,
    start: (_request: unknown, done: (outcome: JobOutcome) => void) => void ended.push(done),
  } as unknown as JobRunner;
  const scheduler: Scheduler = { soon: () => undefined, after: () => ({ cancel: () => undefined }) };
  const poison = new Poison(() => undefined);
  const durability = new Durability({
    log,
    state: {
      exclusive: (step) => {
        if (isClosed) throw closed('the database');
        return step();
      },
    },
    policy: new SyncPolicy('manual'),
    runner,
    scheduler,
    clock: systemClock,
    poison,
  });
  const reached = durability.reach('disk', 1);
  await Promise.resolve();
  expect(ended).toHaveLength(1);
  isClosed = true;
  ended[0]!({ ok: true, output: undefined });
  expect(poison.raised).toBe(false);
  durability.detach(closed('the database'), false);
  await expect(reached).rejects.toThrow('closed');
});
