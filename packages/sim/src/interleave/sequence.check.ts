/**
 * Sequences in shared memory: the visible one in its two words (packages/varve/src/engine/sharing/sequence-words.ts), and the
 * register of those that are still read at (shared-register.ts).
 */
import {
  JOB_FLOOR,
  loadSequence,
  REGISTER_WORDS,
  SharedRegister,
  storeSequence,
  VISIBLE,
} from 'varve/internals';
import { type Control, join, makeControl, must } from './control.check.ts';
import { type Instance, instance, type ModelThread, thread } from './instance.ts';

/** Where the high word of a sequence changes. */
const HIGH = 2147483648;

/** The writer goes through these; readers see one of them, never an older one after a newer one. */
function visible(name: string, first: number, sequences: readonly number[], readers: number): Instance {
  const all = [first, ...sequences];
  return instance<Control>({
    name,
    setup(label) {
      const control = makeControl(label);
      storeSequence(new Int32Array(control), VISIBLE, first);
      return { control };
    },
    threads: [
      thread<Control, undefined>({
        name: 'writer',
        run({ control }) {
          for (const sequence of sequences) storeSequence(new Int32Array(control), VISIBLE, sequence);
        },
      }),
      ...Array.from({ length: readers }, () =>
        thread<Control, undefined>({
          name: 'reader',
          run({ control }) {
            let newest = first;
            for (let look = 0; look < 2; look++) {
              const sequence = loadSequence(new Int32Array(control), VISIBLE);
              must(all.includes(sequence), () => `a reader met ${sequence}, which never was`);
              must(sequence >= newest, () => `a reader met ${sequence} after ${newest}`);
              newest = sequence;
            }
          },
        }),
      ),
    ],
  });
}

/** Who takes over from a writer that died in the middle of a store can go on, and so can readers then. */
function dyingWriter(): Instance {
  return instance<Control>({
    name: 'sequence: a writer dies while the high word changes',
    setup(label) {
      const control = makeControl(label);
      storeSequence(new Int32Array(control), VISIBLE, HIGH - 1);
      return { control };
    },
    threads: [
      thread<Control, undefined>({
        name: 'writer',
        mayDie: true,
        run: ({ control }) => storeSequence(new Int32Array(control), VISIBLE, HIGH),
      }),
      thread<Control, undefined>({
        name: 'heir',
        isDaemon: true,
        run({ control }, self) {
          self.untilDead(0);
          const words = new Int32Array(control);
          if (loadSequence(words, VISIBLE) < HIGH) storeSequence(words, VISIBLE, HIGH);
          must(loadSequence(words, VISIBLE) === HIGH, () => 'the sequence was not stored');
        },
      }),
    ],
  });
}

interface Shared extends Control {
  readonly places: SharedArrayBuffer;
  readonly time: SharedArrayBuffer;
}

/** The stored clock as a single word: only jobs move it, so that there are few orders to look at. */
class ModelClock {
  readonly #word: Int32Array;
  readonly #moves: boolean;

  constructor({ time }: Shared, moves: boolean) {
    this.#word = new Int32Array(time);
    this.#moves = moves;
  }

  now(): number {
    return this.#moves ? Atomics.add(this.#word, 0, 1) + 1 : this.last;
  }

  get last(): number {
    return Atomics.load(this.#word, 0);
  }
}

const registerOf = (shared: Shared, words: Int32Array, slot: number, clock: ModelClock): SharedRegister =>
  new SharedRegister(words, new Int32Array(shared.places), slot, clock);

interface JobView {
  readonly floor: number;
  readonly sequences: readonly number[];
  /** No reader may have an earlier one. */
  readonly time: number;
}

const job: ModelThread<Shared, never> = thread<Shared, { words: Int32Array; slot: number }>({
  name: 'job',
  prepare: (shared, self) => join(shared, self.index),
  run(shared, _, { words, slot }): JobView[] {
    const clock = new ModelClock(shared, true);
    const register = registerOf(shared, words, slot, clock);
    // Jobs begin on the owner's thread, one after the other. As SnapshotRegister.forJob.
    return [1, 2].map(() => {
      const now = clock.now();
      const floor = register.jobFloor();
      return { floor, sequences: register.sequences(), time: Math.min(now, register.earliestTime()) };
    });
  },
});

function advance(to: number): ModelThread<Shared, never> {
  return thread<Shared, undefined>({
    name: 'writer',
    run: ({ control }) => storeSequence(new Int32Array(control), VISIBLE, to),
  });
}

const reader: ModelThread<Shared, never> = thread<Shared, { words: Int32Array; slot: number }>({
  name: 'reader',
  prepare: (shared, self) => join(shared, self.index),
  run(shared, _, { words, slot }) {
    const register = registerOf(shared, words, slot, new ModelClock(shared, false));
    return [register.addVisible(), register.time] as const;
  },
});

/** A reader that registers the visible sequence while jobs fix floor and time: each job keeps what the reader sees. */
function registering(name: string, first: number, to: number, readers: number): Instance {
  return instance<Shared>({
    name,
    setup(label) {
      const control = makeControl(label);
      const places = new SharedArrayBuffer(4 * REGISTER_WORDS);
      const time = new SharedArrayBuffer(4);
      label(places, 'register');
      label(time, 'clock');
      storeSequence(new Int32Array(control), VISIBLE, first);
      storeSequence(new Int32Array(control), JOB_FLOOR, first - 1);
      return { control, places, time };
    },
    threads: [...Array.from({ length: readers }, () => reader), job, advance(to)],
    finish({ results }) {
      for (const [sequence, time] of results.slice(0, readers) as (readonly [number, number])[]) {
        for (const { floor, sequences, time: earliest } of results[readers] as JobView[]) {
          must(
            sequence >= floor || sequences.includes(sequence),
            () =>
              `a job dropped from ${floor} on but for ${sequences.join(', ')}: not what the reader at ${sequence} sees`,
          );
          must(
            time >= earliest,
            () => `a job dropped what expired by ${earliest}, and a reader is at ${time}`,
          );
        }
      }
    },
  });
}

export const sequenceInstances: readonly Instance[] = [
  visible('sequence: two readers', 1, [2, 3], 2),
  visible('sequence: the high word changes', HIGH - 2, [HIGH - 1, HIGH, HIGH + 1], 1),
  dyingWriter(),
];

export const registerInstances: readonly Instance[] = [
  registering('register: a reader beside jobs', 5, 6, 1),
];

export const sequenceDeepInstances: readonly Instance[] = [
  visible('sequence: two readers while the high word changes', HIGH - 1, [HIGH, HIGH + 1], 2),
];

export const registerDeepInstances: readonly Instance[] = [
  registering('register: two readers beside jobs', 5, 6, 2),
  registering('register: a reader beside jobs while the high word changes', HIGH - 1, HIGH, 1),
];
