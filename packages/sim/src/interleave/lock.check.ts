/**
 * The lock of a shared database (packages/varve/src/engine/sharing/shared-lock.ts) and the slots of threads
 * (thread-slots.ts): at most one thread is inside, also when one dies inside and others take the lock over; and
 * whoever takes it over is told.
 */
import { claimSlot, freeSlot, isSlotDead, SharedLock, SLOT_TAKEN, slotAt, WRITE_LOCK } from 'varve/internals';
import { type Control, join, makeControl, must } from './control.check.ts';
import { type Instance, instance, type ModelThread, thread } from './instance.ts';

interface Shared extends Control {
  /** Word 0: who is inside + 1; word 1: how often somebody was; word 2: 1 while the second word is being changed. */
  readonly guarded: SharedArrayBuffer;
}

const INSIDE = 0;
const COUNT = 1;
const HALF = 2;

function setup(): Instance<Shared>['setup'] {
  return (label) => {
    const guarded = new SharedArrayBuffer(12);
    label(guarded, 'guarded', { [INSIDE]: 'inside', [COUNT]: 'count', [HALF]: 'half done' });
    return { control: makeControl(label), guarded };
  };
}

type Take = (lock: SharedLock) => 'taken' | 'inherited' | 'busy';

/** By single tries, so that the search sees between them. */
const byTries: Take = (lock) => {
  const acquired = lock.tryAcquire(0);
  return acquired === 'busy' ? lock.tryInherit() : acquired;
};
const byWaiting: Take = (lock) => lock.acquire(60_000);

/** What the lock guards: a count that is changed in two steps. */
function work(words: Int32Array, self: number, acquired: 'taken' | 'inherited'): void {
  const inside = Atomics.exchange(words, INSIDE, self + 1);
  must(inside === 0 || acquired === 'inherited', () => `thread ${self} is inside with thread ${inside - 1}`);
  const isHalf = words[HALF]! !== 0;
  must(!isHalf || acquired === 'inherited', () => `thread ${self} was not told that the lock was inherited`);
  words[HALF] = 1;
  words[COUNT] = words[COUNT]! + 1;
  words[HALF] = 0;
  const still = Atomics.exchange(words, INSIDE, 0);
  must(still === self + 1, () => `thread ${still - 1} came inside with thread ${self}`);
}

function worker(take: Take, rounds: number, mayDie = false): ModelThread<Shared, never> {
  return thread<Shared, { words: Int32Array; slot: number }>({
    name: 'worker',
    mayDie,
    prepare: (shared, self) => join(shared, self.index),
    run({ guarded }, self, { words, slot }) {
      const lock = new SharedLock(words, WRITE_LOCK, slot);
      for (let round = 0; round < rounds; round++) {
        let acquired = take(lock);
        while (acquired === 'busy') acquired = take(lock);
        work(new Int32Array(guarded), self.index, acquired);
        lock.release();
      }
      return rounds;
    },
  });
}

function lockInstance(name: string, threads: readonly ModelThread<Shared, never>[], deathsMax = 1): Instance {
  return instance<Shared>({
    name,
    setup: setup(),
    threads,
    deathsMax,
    finish({ results, dead }, { guarded }) {
      const words = new Int32Array(guarded);
      const done = results.reduce<number>((sum, each) => sum + ((each as number | undefined) ?? 0), 0);
      const count = words[COUNT]!;
      if (!dead.includes(true))
        must(count === done && words[HALF] === 0, () => `${count} counted, ${done} done`);
    },
  });
}

/** The owner takes the lock from the dead, frees the slot, and then uses that slot itself. */
const newcomer: ModelThread<Shared, never> = thread<Shared, { words: Int32Array; slot: number }>({
  name: 'newcomer',
  isDaemon: true,
  prepare: (shared, self) => join(shared, self.index),
  run({ guarded }, self, { words, slot }) {
    const memory = new Int32Array(guarded);
    self.untilDead(0);
    const lock = new SharedLock(words, WRITE_LOCK, slot);
    let acquired = byTries(lock);
    while (acquired === 'busy') acquired = byTries(lock);
    // What the dead thread has left half done is undone.
    memory.set([0, 0, 0]);
    lock.release();
    freeSlot(words, 0);
    const again = new SharedLock(words, WRITE_LOCK, claimSlot(words, self.index));
    acquired = byTries(again);
    while (acquired === 'busy') acquired = byTries(again);
    work(memory, self.index, acquired);
    again.release();
  },
});

interface SlotShared extends Control {
  readonly taken: SharedArrayBuffer;
}

/** Threads that come and one that dies with its slot, which the owner clears for the next one. */
function slotsInstance(): Instance {
  const comer = (mayDie: boolean): ModelThread<SlotShared, never> =>
    thread<SlotShared, undefined>({
      name: mayDie ? 'comer' : 'other',
      mayDie,
      run({ control, taken }, self) {
        const words = new Int32Array(control);
        const slot = claimSlot(words, self.index);
        const holders = new Int32Array(taken);
        const other = Atomics.exchange(holders, slot, self.index + 1);
        must(
          other === 0 || self.isDead(other - 1),
          () => `slot ${slot} was given to ${other - 1} and ${self.index}`,
        );
        return [slot, Atomics.load(words, slotAt(slot) + SLOT_TAKEN)];
      },
    });
  return instance<SlotShared>({
    name: 'slots: two come, one dies, the owner clears up',
    setup: (label) => {
      const taken = new SharedArrayBuffer(12);
      label(taken, 'holder of slot');
      return { control: makeControl(label), taken };
    },
    threads: [
      comer(true),
      comer(false),
      thread<SlotShared, undefined>({
        name: 'owner',
        isDaemon: true,
        run({ control }, self) {
          const words = new Int32Array(control);
          self.untilDead(0);
          for (let slot = 0; slot < 2; slot++) if (isSlotDead(words, slot, true)) freeSlot(words, slot);
        },
      }),
    ],
    finish({ results, dead }) {
      const [first, second] = results as ([number, number] | undefined)[];
      if (dead[0]) return;
      must(first![0] !== second![0], () => 'both have the same slot');
    },
  });
}

export const lockInstances: readonly Instance[] = [
  lockInstance('lock: two threads', [worker(byTries, 2), worker(byTries, 1)]),
  lockInstance('lock: two threads that wait', [worker(byWaiting, 1), worker(byWaiting, 1)]),
  lockInstance('lock: one dies, two others want it', [
    worker(byTries, 1, true),
    worker(byTries, 1),
    worker(byTries, 1),
  ]),
  lockInstance('lock: the slot of a dead holder is used again', [
    worker(byTries, 1, true),
    worker(byTries, 1),
    newcomer,
  ]),
];

export const slotInstances: readonly Instance[] = [slotsInstance()];

export const lockDeepInstances: readonly Instance[] = [
  lockInstance('lock: three threads', [worker(byTries, 1), worker(byTries, 1), worker(byTries, 1)]),
  lockInstance('lock: one dies beside one that waits', [worker(byWaiting, 1, true), worker(byWaiting, 1)]),
  lockInstance(
    'lock: two die, one after the other',
    [worker(byTries, 1, true), worker(byTries, 1, true), worker(byTries, 1)],
    2,
  ),
];
