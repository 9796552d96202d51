/**
 * A child process of `compare`: opens one engine, runs one group of workloads, sends the outcome to its parent and ends.
 * So no engine meets another one's heap, caches, threads or compiled code.
 *
 * Started by run-child.ts with the job as its only argument and a directory of its own.
 */
import { groups } from './groups.ts';
import type { Job, Outcome } from './job.ts';
import { measureGroup } from './measure.ts';
import { openStore, UnavailableError } from './peers/peer.ts';

async function run(job: Job, path: string): Promise<Outcome> {
  if (job.engine === 'db_bench') throw new TypeError('db_bench is a program of its own');
  const group = groups.find(({ name }) => name === job.group)!;
  const { cacheBytes, memtableBytes } = job.sizes;
  const store = await openStore(job.engine, {
    path,
    cacheBytes,
    memtableBytes,
    synced: group.name === 'fillsync',
    handOver: job.mode === 'put' ? 'put' : 'tick',
  });
  try {
    return { kind: 'done', settings: store.settings, measurements: await measureGroup(group, job, store) };
  } finally {
    await store.close();
  }
}

const [job, path] = process.argv.slice(2);
let outcome: Outcome;
try {
  outcome = await run(JSON.parse(job!) as Job, path!);
} catch (error) {
  if (error instanceof UnavailableError) outcome = { kind: 'unavailable', reason: error.message };
  else
    outcome = {
      kind: 'failed',
      reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
}
process.send?.(outcome, () => process.disconnect());
