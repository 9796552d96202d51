/**
 * Locks of transactions in memory that threads share (packages/varve/src/engine/sharing/lock-records.ts): whoever dies in the
 * middle of a change leaves no half of a record, whoever takes the write lock over makes the rest whole, and the books of all
 * threads say what is there. What holds of each state is in locker.check.ts.
 */
import type { Lock } from 'varve/internals';
import { must } from './control.check.ts';
import { type Instance, instance, type ModelThread, thread } from './instance.ts';
import {
  checkLocks,
  KEY,
  Locker,
  type LockShared,
  LONG,
  makeLocks,
  OTHER,
  RANGE,
  RIVAL,
} from './locker.check.ts';

type LockThread = ModelThread<LockShared, never>;

interface Part {
  readonly name: string;
  readonly mayDie?: boolean;
  readonly isDaemon?: boolean;
  /** What it has before anything else happens. */
  readonly first?: (locker: Locker) => void;
  readonly run: (locker: Locker, untilDead: (thread: number) => void) => void;
}

function part({ name, mayDie = false, isDaemon = false, first, run }: Part): LockThread {
  return thread<LockShared, Locker>({
    name,
    mayDie,
    isDaemon,
    prepare(shared, { index }) {
      const locker = new Locker(shared, index);
      locker.follow();
      first?.(locker);
      return locker;
    },
    run: (_, self, locker) => run(locker, (other) => self.untilDead(other)),
  });
}

interface Options {
  readonly units?: number;
  readonly changes?: number;
  readonly deathsMax?: number;
  readonly timeouts?: boolean;
  readonly preemptionsMax?: number;
}

function locks(
  name: string,
  parts: readonly Part[],
  { units = 8, changes = 0, ...options }: Options = {},
): Instance {
  return instance<LockShared>({
    name: `lock records: ${name}`,
    setup: (label) => makeLocks(label, units, changes),
    threads: parts.map(part),
    invariant: checkLocks,
    ...options,
  });
}

/** So many steps that do nothing but follow, whatever the others have left. */
const follower = (steps: number): Part => ({
  name: 'follower',
  run(locker) {
    for (let i = 0; i < steps; i++) locker.step();
  },
});

/** Another one's lock comes, whatever happened to the first. */
const second: Part = { name: 'second', run: (locker) => locker.step(() => locker.hold(OTHER)) };

const writer: Part = { name: 'writer', run: (locker) => locker.write() };

const first = ({ book }: Locker): Lock => [...book.held()][0]!;

/** Locks and lets go, and may die at it. */
const taker = (wish: number, mayDie = true): Part => ({
  name: 'taker',
  mayDie,
  run(locker) {
    let lock: Lock;
    locker.step(() => (lock = locker.hold(wish)));
    locker.step(() => locker.remove(lock));
  },
});

/** Locks, and may die at it. */
const once = (wish: number): Part => ({
  name: 'taker',
  mayDie: true,
  run: (locker) => locker.step(() => locker.hold(wish)),
});

/** Has a lock, lets go of it, and takes another one, in its place. */
const changer: Part = {
  name: 'changer',
  mayDie: true,
  first: (locker) => void locker.hold(KEY),
  run(locker) {
    locker.step(() => {
      locker.remove(first(locker));
      locker.hold(OTHER);
    });
  },
};

/** Waits, and looks without the write lock whether it is granted. */
const asker: Part = {
  name: 'asker',
  first: (locker) => void locker.wait(RANGE),
  run(locker) {
    const [lock] = locker.book.queue;
    const isHeld = locker.records.isHeld(lock!.unit);
    locker.step(() => {
      const isGranted = locker.granted.includes(lock!);
      must(isGranted || !isHeld, () => 'a lock was seen without the write lock, and is not there with it');
      must(
        isGranted !== locker.book.queue.includes(lock!),
        () => 'who waits was not told, or told too early',
      );
    });
  },
};

const granter: Part = {
  name: 'granter',
  mayDie: true,
  run: (locker) => locker.step(() => locker.serve()),
};

/** Sleeps until its request is granted. */
const sleeper: Part = {
  name: 'sleeper',
  first: (locker) => void locker.wait(RIVAL),
  run(locker) {
    const { records } = locker;
    const [lock] = locker.book.queue;
    for (;;) {
      const { wakes } = records;
      if (locker.isRebuilt) locker.step(() => locker.serve());
      if (records.isHeld(lock!.unit)) break;
      Atomics.wait(records.words, records.wakeAt, wakes);
    }
  },
};

/** Lets go of what another one waits for. */
const giver: Part = {
  name: 'giver',
  mayDie: true,
  first: (locker) => void locker.hold(KEY),
  run(locker) {
    locker.step(() => {
      locker.remove(first(locker));
      locker.serve();
      locker.records.wake();
    });
  },
};

/** Clears up after the thread `dead`, and grants what waits. */
const clearer = (dead: number, mayDie = false): Part => ({
  name: 'clearer',
  isDaemon: true,
  mayDie,
  run(locker, untilDead) {
    untilDead(dead);
    locker.step(() => {
      if (!locker.dropGone()) return;
      locker.serve();
      locker.records.wake();
    });
  },
});

/** Once thread `dead` is dead, locks something. */
const successor = (dead: number, wish: number): Part => ({
  name: 'successor',
  isDaemon: true,
  run(locker, untilDead) {
    untilDead(dead);
    locker.step(() => locker.hold(wish));
  },
});

/** Follows what comes after each death. */
const mourner: Part = {
  name: 'mourner',
  isDaemon: true,
  run(locker, untilDead) {
    untilDead(0);
    locker.step();
    untilDead(1);
    locker.step();
  },
};

/** Lets go of all there is, so that blocks are made anew: the first of two units, over the place of two. */
const starter: Part = {
  name: 'starter',
  mayDie: true,
  first(locker) {
    for (const wish of [KEY, RANGE, OTHER]) locker.hold(wish);
  },
  run(locker) {
    locker.step(() => {
      const all = [...locker.book.held()];
      for (const lock of all) locker.remove(lock);
      locker.hold(LONG);
    });
  },
};

/** Fills the region: a small lock takes the place of a large one, and the next is refused. */
const filler: Part = {
  name: 'filler',
  mayDie: true,
  first(locker) {
    locker.hold(KEY);
    locker.remove(locker.hold(LONG));
  },
  run(locker) {
    locker.step(() => {
      locker.hold(OTHER);
      let refused: unknown;
      try {
        locker.records.add([...locker.book.held()][0]!, false);
      } catch (error) {
        refused = error;
      }
      must(
        (refused as { code?: string }).code === 'LOCKS_FULL',
        () => 'there was room for more than there is',
      );
    });
  },
};

/** Where the count of changes becomes negative. */
const WRAPS = 2 ** 31 - 2;

export const lockRecordInstances: readonly Instance[] = [
  locks('one is taken and let go', [taker(RANGE), follower(2)]),
  locks('one is taken and let go while the count of changes wraps', [taker(KEY), follower(1)], {
    changes: WRAPS,
  }),
  locks('one is taken and let go beside a write', [taker(KEY), writer]),
  locks('one is taken, and another by somebody else', [once(KEY), second]),
  locks('one takes the place of another', [changer, follower(2)]),
  locks('a request is granted', [asker, granter]),
  locks('who waits is woken, also when who lets go dies', [sleeper, giver, clearer(1)], { timeouts: false }),
  locks('all begins anew', [starter, follower(2)]),
  locks('all begins anew beside a write', [starter, writer]),
  locks('the region is full', [filler, follower(1)], { units: 3 }),
  locks('who repairs dies too', [once(KEY), clearer(0, true), clearer(1)], {
    deathsMax: 2,
    preemptionsMax: 0,
  }),
];

export const lockRecordDeepInstances: readonly Instance[] = [
  locks(
    'one dies taking a lock, one clearing up',
    [once(KEY), clearer(0, true), successor(1, OTHER), mourner],
    {
      deathsMax: 2,
      preemptionsMax: 0,
    },
  ),
  locks('a request is granted beside another thread', [asker, granter, follower(1)]),
  locks('two take and die, one after the other', [once(KEY), once(RANGE), follower(1)], {
    deathsMax: 2,
    preemptionsMax: 1,
  }),
  locks('three take and let go', [taker(KEY), taker(RANGE, false), taker(OTHER, false)], {
    preemptionsMax: 1,
  }),
];
