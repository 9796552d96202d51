/**
 * Closing: stop what runs, put everything on disk with a marker behind it (CONTRACT 3) and the clock, give back what is held.
 *
 * Memtables are not flushed: the log has them, and a clean close is quick. Awaited writes settle before; what still waits
 * for room gets `CLOSED`. From the first line on every other call throws `CLOSED`; iterators left open do so too.
 */
import { asError, closed } from '../base/errors.ts';
import type { Core } from './core.ts';

export async function closeDatabase(core: Core): Promise<void> {
  const { state, runner, durability, tables, pressure } = core;
  const error = closed('the database', { path: state.path });
  // Other threads first: what they have begun is finished then, and they begin nothing more.
  state.sharing?.closing();
  state.isClosed = true;
  exitHooks.delete(core);
  core.background.stop();
  core.reads.close();
  pressure.abandon(error);
  // What they have written goes, while there is somebody to remove it.
  await core.ingestions.close(error);
  let failure: unknown;
  try {
    durability?.close();
    core.warmUp.close();
  } catch (cause) {
    failure = cause;
  }
  core.installer.close(error);
  await runner.close();
  try {
    core.clockKeeper.close();
  } catch (cause) {
    failure ??= cause;
  }
  tables.close();
  if (state.sharing === undefined) for (const tree of state.trees.values()) tree.drop();
  state.sharing?.close();
  if (failure !== undefined) throw asError(failure);
}

const exitHooks = new Set<Core>();

/** Hands the log buffer over when the process exits in an orderly way, so that `process.exit` loses nothing. */
export function handOverAtExit(core: Core): void {
  if (exitHooks.size === 0 && !hooked) {
    hooked = true;
    process.on('exit', () => {
      for (const open of exitHooks) open.durability?.handOver();
    });
  }
  exitHooks.add(core);
}

let hooked = false;
