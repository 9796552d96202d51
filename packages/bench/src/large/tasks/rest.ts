/** Waiting until a database has nothing left to do. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from 'varve';

const LOOK_MS = 100;
/** Processor time for the time that passes, of a process that only looks whether it is at rest. */
const IDLE_SHARE_MAX = 0.1;

/**
 * Flushes, then waits until files have stayed the same for a while in which no thread of this process had work: on a busy
 * machine a compaction may take longer than that, and it is not over because nothing was installed. Returns how long it
 * took until then.
 */
export async function comeToRest(db: Database, restMs: number): Promise<number> {
  const start = performance.now();
  await db.flush();
  let changed = performance.now();
  let files = filesOf(db);
  let processor = process.cpuUsage();
  for (;;) {
    await sleep(LOOK_MS);
    const now = filesOf(db);
    const { user, system } = process.cpuUsage(processor);
    if (now !== files || user + system > restMs * 1e3 * IDLE_SHARE_MAX) {
      changed = performance.now();
      files = now;
      processor = process.cpuUsage();
    } else if (performance.now() - changed >= restMs) return (changed - start) / 1000;
  }
}

function filesOf(db: Database): string {
  const { keyspaces, written } = db.stats();
  return JSON.stringify([Object.values(keyspaces).map(({ levels }) => levels), written.compaction]);
}
