/**
 * The log of a thread that shares another one's database, beside its owner's, on the simulated disk: what either says is on
 * disk survives a crash.
 */
import { expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { SimFs } from '../fs/sim-fs.ts';
import { RECORD_BATCH } from '../record/log-record.ts';
import { AttachedLog } from './attached-log.ts';
import type { Log } from './log.ts';
import { bodyOf, DIRECTORY, LogBench } from './log.suite.ts';
import { SharedTail } from './shared-tail.ts';

function shared(): { bench: LogBench; log: Log; attached: AttachedLog } {
  const bench = new LogBench(new SimFs());
  bench.settings = { segmentBytes: 500 };
  const log = bench.open();
  log.begin();
  const tail = new SharedTail();
  log.share(tail);
  const attached = new AttachedLog({
    fs: bench.fs,
    directory: DIRECTORY,
    handle: log.handle(tail),
    counters: { log: 0 },
    segmentFull: () => undefined,
    checkOwner: () => undefined,
  });
  return { bench, log, attached };
}

/** As under the write lock: takes over what is there, appends one batch. */
function append(log: Log | AttachedLog): void {
  log.load();
  const sequence = log.lastSequence + 1;
  const body = bodyOf(sequence);
  log.append(RECORD_BATCH, sequence, 1_000_000, body, 0, body.length);
}

for (const seed of [1, 2, 3, 4]) {
  test(`what an attached thread has synced survives a crash, segments before its own too, seed ${seed}`, () => {
    const { bench, log, attached } = shared();
    for (let i = 0; i < 20; i++) append(attached);
    log.load();
    log.rotateIfFull();
    append(attached);
    attached.load();
    attached.syncNow();
    expect(attached.syncedSequence).toBe(21);
    bench.fs = (bench.fs as SimFs).crash(new Random(seed));
    expect(bench.recover().batches.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 21 }, (_, i) => i + 1),
    );
  });
}
