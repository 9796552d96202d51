/**
 * Algorithms from the books, right and wrong, for the tests of the checker itself.
 */
import { type Instance, instance, thread } from './instance.ts';

interface Cells {
  readonly buffer: SharedArrayBuffer;
}

const cells = (count: number, names: readonly string[]): Instance<Cells>['setup'] => {
  return (label) => {
    const buffer = new SharedArrayBuffer(4 * count);
    label(buffer, 'words', Object.fromEntries(names.entries()));
    return { buffer };
  };
};

function must(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

/** Two threads add 1 to a counter: by load and store, which loses one, or by one atomic step. */
export function counter(isAtomic: boolean, threads = 2): Instance {
  return instance<Cells>({
    name: 'counter',
    setup: cells(1, ['count']),
    threads: Array.from({ length: threads }, (_, i) =>
      thread<Cells, undefined>({
        name: `adder ${i}`,
        run({ buffer }) {
          const words = new Int32Array(buffer);
          if (isAtomic) Atomics.add(words, 0, 1);
          else Atomics.store(words, 0, Atomics.load(words, 0) + 1);
        },
      }),
    ),
    finish: (_, { buffer }) => must(new Int32Array(buffer)[0] === threads, 'an addition was lost'),
  });
}

/** Peterson's lock for two threads; without the word that says whose turn it is both come in, or none. */
export function peterson(fault?: 'no-turn' | 'late-flag'): Instance {
  const me = (index: number): ReturnType<typeof thread<Cells, undefined>> =>
    thread<Cells, undefined>({
      name: `thread ${index}`,
      run({ buffer }) {
        const words = new Int32Array(buffer);
        const other = 1 - index;
        for (let round = 0; round < 2; round++) {
          if (fault !== 'late-flag') Atomics.store(words, index, 1);
          if (fault !== 'no-turn') Atomics.store(words, 2, other);
          if (fault === 'late-flag') Atomics.store(words, index, 1);
          for (;;) {
            if (Atomics.load(words, other) === 0) break;
            if (fault !== 'no-turn' && Atomics.load(words, 2) === index) break;
          }
          must(Atomics.add(words, 3, 1) === 0, 'two are inside');
          Atomics.sub(words, 3, 1);
          Atomics.store(words, index, 0);
        }
      },
    });
  return instance<Cells>({
    name: 'peterson',
    setup: cells(4, ['wants 0', 'wants 1', 'turn', 'inside']),
    threads: [me(0), me(1)],
  });
}

/** A stack of nodes 1, 2, 3 in words; `next` of node n is word n. One thread pops while another pops twice and pushes. */
export function stack(hasTag: boolean): Instance {
  const HEAD = 0;
  const tagOf = (head: number): number => (hasTag ? (head & ~15) + 16 : 0);
  const pop = (words: Int32Array): number => {
    for (;;) {
      const head = Atomics.load(words, HEAD);
      const node = head & 15;
      if (node === 0) return 0;
      const next = Atomics.load(words, node);
      if (Atomics.compareExchange(words, HEAD, head, next | tagOf(head)) === head) return node;
    }
  };
  const push = (words: Int32Array, node: number): void => {
    for (;;) {
      const head = Atomics.load(words, HEAD);
      Atomics.store(words, node, head & 15);
      if (Atomics.compareExchange(words, HEAD, head, node | tagOf(head)) === head) return;
    }
  };
  return instance<Cells>({
    name: 'stack',
    setup(label) {
      const buffer = new SharedArrayBuffer(16);
      label(buffer, 'words', { 0: 'head', 1: 'next of 1', 2: 'next of 2', 3: 'next of 3' });
      new Int32Array(buffer).set([1, 2, 3, 0]);
      return { buffer };
    },
    threads: [
      thread<Cells, undefined>({ name: 'popper', run: ({ buffer }) => [pop(new Int32Array(buffer))] }),
      thread<Cells, undefined>({
        name: 'mover',
        run({ buffer }) {
          const words = new Int32Array(buffer);
          const first = pop(words);
          const second = pop(words);
          if (first !== 0) push(words, first);
          return [second];
        },
      }),
    ],
    finish({ results }, { buffer }) {
      const words = new Int32Array(buffer);
      const seen = (results as number[][]).flat().filter((node) => node !== 0);
      for (let node = words[HEAD]! & 15; node !== 0; node = words[node]!) seen.push(node);
      must(new Set(seen).size === seen.length, `a node is there twice: ${seen.join(' ')}`);
    },
  });
}

/** Two locks taken in the same order or crosswise. */
export function locks(isCrosswise: boolean): Instance {
  const lock = (words: Int32Array, at: number): void => {
    while (Atomics.compareExchange(words, at, 0, 1) !== 0) Atomics.wait(words, at, 1);
  };
  const unlock = (words: Int32Array, at: number): void => {
    Atomics.store(words, at, 0);
    Atomics.notify(words, at, 1);
  };
  const taker = (
    name: string,
    order: readonly [number, number],
  ): ReturnType<typeof thread<Cells, undefined>> =>
    thread<Cells, undefined>({
      name,
      run({ buffer }) {
        const words = new Int32Array(buffer);
        for (const at of order) lock(words, at);
        for (const at of order) unlock(words, at);
      },
    });
  return instance<Cells>({
    name: 'locks',
    setup: cells(2, ['lock a', 'lock b']),
    threads: [taker('first', [0, 1]), taker('second', isCrosswise ? [1, 0] : [0, 1])],
  });
}

/** A lock whose owner may die; the waiter breaks it, or not. */
export function mortalLock(isBroken: boolean): Instance {
  return instance<Cells>({
    name: 'mortal lock',
    setup: cells(2, ['lock', 'work']),
    threads: [
      thread<Cells, undefined>({
        name: 'owner',
        mayDie: true,
        run({ buffer }) {
          const words = new Int32Array(buffer);
          Atomics.store(words, 0, 1);
          Atomics.add(words, 1, 1);
          Atomics.store(words, 0, 0);
        },
      }),
      thread<Cells, undefined>({
        name: 'waiter',
        run({ buffer }, self) {
          const words = new Int32Array(buffer);
          while (Atomics.compareExchange(words, 0, 0, 2) !== 0) {
            if (isBroken && self.isDead(0) && Atomics.compareExchange(words, 0, 1, 2) === 1) break;
          }
          Atomics.add(words, 1, 1);
          Atomics.store(words, 0, 0);
        },
      }),
    ],
  });
}

/** A producer and a consumer over one word; the producer forgets to notify, or the wait has a timeout. */
export function handover(fault?: 'no-notify', timeoutMs?: number): Instance {
  return instance<Cells>({
    name: 'handover',
    setup: cells(1, ['item']),
    threads: [
      thread<Cells, undefined>({
        name: 'producer',
        run({ buffer }) {
          const words = new Int32Array(buffer);
          Atomics.store(words, 0, 7);
          if (fault === undefined) Atomics.notify(words, 0);
        },
      }),
      thread<Cells, undefined>({
        name: 'consumer',
        run({ buffer }) {
          const words = new Int32Array(buffer);
          for (let item = 0; ; ) {
            item = Atomics.load(words, 0);
            if (item !== 0) return item;
            Atomics.wait(words, 0, 0, timeoutMs);
          }
        },
      }),
    ],
    finish: ({ results }) => must(results[1] === 7, 'the item did not arrive'),
  });
}

/** Steps that nobody else notices, and code that cleans up behind itself. */
export function withCleanup(): Instance {
  const worker = (at: number): ReturnType<typeof thread<Cells, undefined>> =>
    thread<Cells, undefined>({
      name: `worker ${at}`,
      run({ buffer }) {
        const words = new Int32Array(buffer);
        while (Atomics.compareExchange(words, 0, 0, 1) !== 0);
        try {
          for (let i = 0; i < 20; i++) words[at]! += i;
          words[1]!++;
        } finally {
          Atomics.store(words, 0, 0);
        }
      },
    });
  return instance<Cells>({
    name: 'cleanup',
    setup: cells(8, ['lock', 'count']),
    threads: [worker(2), worker(3), worker(4)],
    finish(_, { buffer }) {
      const words = new Int32Array(buffer);
      must(words[0] === 0 && words[1] === 3 && words[2] === 190 && words[4] === 190, 'a step is missing');
    },
  });
}
