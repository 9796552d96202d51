/**
 * The first step of `attach`: a slot in the shared memory, by which the thread is known from then on.
 */
import { threadId } from 'node:worker_threads';
import { closed, VarveError } from '../../base/errors.ts';
import { systemScheduler } from '../../runtime/scheduler.ts';
import { FLAG_CLOSED, FLAG_OWNER_GONE, FLAGS } from './control-words.ts';
import type { ShareData } from './share-handle.ts';
import { claimSlot, isSlotDead, takenSlots } from './thread-slots.ts';

const SLOT_TRIES = 20;
const SLOT_WAIT_MS = 50;

/** A slot for this thread. Threads that are gone keep theirs until the owner has looked, so it is worth a wait. */
export async function takeSlot(data: ShareData): Promise<number> {
  const control = new Int32Array(data.control);
  for (let tries = 1; ; tries++) {
    checkNotEnded(Atomics.load(control, FLAGS), data.path);
    try {
      return claimSlot(control, threadId);
    } catch (error) {
      if (tries === SLOT_TRIES || !takenSlots(control).some((slot) => isSlotDead(control, slot, true))) {
        throw error;
      }
    }
    await new Promise<void>((resolve) => systemScheduler.after(SLOT_WAIT_MS, resolve, true));
  }
}

/** Throws when the owner has closed the database, or is known to be gone. */
export function checkNotEnded(flags: number, path: string): void {
  if ((flags & FLAG_OWNER_GONE) !== 0) {
    throw new VarveError(
      'closed',
      'OWNER_GONE',
      'the thread that opened the database is gone; open it again',
      { path },
    );
  }
  if ((flags & FLAG_CLOSED) !== 0) throw closed('the database', { path, by: 'its owner' });
}
