/** Tables of locks of several threads, all in this one: each with a slot and objects of its own over the same memory. */
import { onTestFinished } from 'vitest';
import type { Session } from '../engine/core.ts';
import { CONTROL_WORDS, EPOCH, SLOT_TASK, slotAt } from '../engine/sharing/control-words.ts';
import { LOCK_WORDS, LockRecords, repairLocks } from '../engine/sharing/lock-records.ts';
import { ThreadAccess } from '../engine/sharing/thread-access.ts';
import { claimSlot, freeSlot } from '../engine/sharing/thread-slots.ts';
import { EngineState } from '../engine/state.ts';
import { closed } from '../base/errors.ts';
import { ManualScheduler } from '../../test/manual-scheduler.ts';
import { LockTable } from './locks.ts';

/** The system gives no thread this number. */
const NOBODY = 0x7fff_fffe;

export interface LockThread {
  readonly table: LockTable;
  readonly session: Session;
  readonly slot: number;
}

/** A thread with a database to itself, which it may share. */
export function loneThread(time: ManualScheduler): LockThread {
  const state = new EngineState('locks', time.clock);
  state.trees.set(1, { name: 'data' } as never);
  const session = { state, scheduler: time, pipeline: { guard: undefined } } as unknown as Session;
  return { table: new LockTable(session), session, slot: 0 };
}

export class LockMemory {
  readonly control: Int32Array = new Int32Array(new SharedArrayBuffer(4 * CONTROL_WORDS));
  readonly memory: SharedArrayBuffer;
  readonly time: ManualScheduler = new ManualScheduler();
  #threads = 0;

  constructor(words: number = LOCK_WORDS) {
    this.memory = new SharedArrayBuffer(4 * words);
    this.control[EPOCH] = 1;
  }

  /** Another thread; `shares`: one that has the database to itself until now. */
  thread(shares: LockThread = loneThread(this.time)): LockThread {
    const slot = claimSlot(this.control, 100 + this.#threads++);
    const { table, session } = shares;
    session.state.share(
      new ThreadAccess(this.control, slot, {
        flagged: () => undefined,
        follow: () => true,
        load: () => undefined,
        repair: () => repairLocks(this.memory),
      }),
    );
    table.share(new LockRecords(this.control, this.memory, slot));
    onTestFinished(() => table.close(closed('the database', {})));
    return { table, session, slot };
  }

  /** The thread is gone, without having said so. */
  die({ slot }: LockThread): void {
    Atomics.store(this.control, slotAt(slot) + SLOT_TASK, NOBODY);
  }

  /** The thread has left its slot, and has given nothing back. */
  leave({ slot }: LockThread): void {
    freeSlot(this.control, slot);
  }
}
