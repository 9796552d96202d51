/**
 * The checker itself: it finds what is wrong with algorithms from the books, proves those that are right, and its reductions
 * leave out no outcome.
 */
import { describe, expect, test } from 'vitest';
import { check, replay } from './check.ts';
import { type Instance, instance, thread } from './instance.ts';
import { explain, linesOf, parseSchedule, scheduleText } from './report.ts';
import { counter, handover, locks, mortalLock, peterson, stack, withCleanup } from './toys.check.ts';

function refuted(of: Instance): string {
  const verdict = check(of);
  expect(verdict.failure).toBeDefined();
  return explain(of, verdict).join('\n');
}

function expectProven(of: Instance): void {
  const verdict = check(of);
  expect(explain(of, verdict)).toEqual([]);
  expect(verdict.isComplete).toBe(true);
  expect(verdict.ends).toBeGreaterThan(0);
}

describe('the checker finds', () => {
  test('a lost update', () => expect(refuted(counter(false))).toContain('an addition was lost'));
  test('two threads in a lock that is wrong', () =>
    expect(refuted(peterson('late-flag'))).toContain('two are inside'));
  test('a lock that lets nobody in', () =>
    expect(refuted(peterson('no-turn'))).toContain('goes round forever'));
  test('a head of a stack that went away and came back', () =>
    expect(refuted(stack(false))).toContain('a node is there twice'));
  test('two locks taken crosswise', () => expect(refuted(locks(true))).toContain('deadlock: first, second'));
  test('a lock that stays with the dead', () =>
    expect(refuted(mortalLock(false))).toContain('waiter goes round forever'));
  test('a wait that nobody ends', () =>
    expect(refuted(handover('no-notify'))).toContain('deadlock: consumer can never go on'));
});

describe('the checker proves', () => {
  test('atomic additions', () => expectProven(counter(true, 3)));
  test("Peterson's lock", () => expectProven(peterson()));
  test('a stack with a tag in its head', () => expectProven(stack(true)));
  test('two locks taken in one order', () => expectProven(locks(false)));
  test('a lock that is taken from the dead', () => expectProven(mortalLock(true)));
  test('a handover by notification, and one by timeout', () => {
    expectProven(handover());
    expectProven(handover('no-notify', 5));
  });
  test('code that cleans up when it is unwound', () => expectProven(withCleanup()));
});

test('a printed schedule is the simplest one, and replays to the same steps', () => {
  const of = stack(false);
  const verdict = check(of);
  const text = scheduleText(verdict.failure!.turns);
  expect(text).toBe('A2 B9 A1');
  const again = replay(of, parseSchedule(text));
  expect(linesOf(of, again)).toEqual(linesOf(of, verdict));
  expect(explain(of, verdict).slice(0, 5)).toEqual([
    '  A popper  load head = 1',
    '  A popper  load next of 1 = 2',
    '  B mover   load head = 1',
    '  B mover   load next of 1 = 2',
    '  B mover   compareExchange head 1 -> 2',
  ]);
});

test('a search that has to stop says that it has not seen everything', () => {
  const verdict = check(peterson(), { statesMax: 50 });
  expect(verdict.isComplete).toBe(false);
  expect(verdict.failure).toBeUndefined();
});

test('a thread that depends on more than memory is reported', () => {
  let calls = 0;
  const of = instance<{ buffer: SharedArrayBuffer }>({
    name: 'restless',
    setup: () => ({ buffer: new SharedArrayBuffer(8) }),
    threads: [0, 1].map(() =>
      thread<{ buffer: SharedArrayBuffer }, undefined>({
        name: 'restless',
        run({ buffer }) {
          const words = new Int32Array(buffer);
          for (let i = 0; i < 3; i++) Atomics.add(words, calls++ % 2, 1);
        },
      }),
    ),
  });
  expect(() => check(of)).toThrow(/not the same in a replay/);
});

test('the real Atomics and arrays are back after a check', () => {
  const before = [Atomics.load, Atomics.wait, Int32Array, DataView, SharedArrayBuffer];
  check(counter(true));
  expect([Atomics.load, Atomics.wait, Int32Array, DataView, SharedArrayBuffer]).toEqual(before);
});

/** Three threads of random steps on three words. */
function randomProgram(seed: number, ends: Set<string>): Instance {
  let state = seed;
  const below = (count: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % count;
  };
  const programs = [0, 1, 2].map(() =>
    Array.from({ length: 2 + below(3) }, () => [below(5), below(3), below(3)]),
  );
  const mayDie = below(3) === 0;
  return instance<{ buffer: SharedArrayBuffer }>({
    name: 'random',
    setup: () => ({ buffer: new SharedArrayBuffer(16) }),
    threads: programs.map((program, i) =>
      thread<{ buffer: SharedArrayBuffer }, undefined>({
        name: `thread ${i}`,
        mayDie: mayDie && i === 0,
        run({ buffer }) {
          const words = new Int32Array(buffer);
          let seen = 0;
          for (const [what, at, value] of program as [number, number, number][]) {
            if (what === 0) seen = seen * 7 + Atomics.load(words, at);
            else if (what === 1) Atomics.store(words, at, value + seen);
            else if (what === 2) seen = seen * 7 + Atomics.add(words, at, value + 1);
            else if (what === 3) seen = seen * 7 + Atomics.compareExchange(words, at, value, value + 1);
            else words[at] = words[value]! + 1;
          }
          return seen;
        },
      }),
    ),
    finish: ({ results, dead }, { buffer }) => {
      ends.add(JSON.stringify([results, dead, [...new Int32Array(buffer)]]));
    },
  });
}

test('random programs end in the same ways with and without the reductions', () => {
  let [reduced, naive] = [0, 0];
  for (let seed = 1; seed <= 40; seed++) {
    const [some, all] = [new Set<string>(), new Set<string>()];
    reduced += check(randomProgram(seed, some)).moves;
    naive += check(randomProgram(seed, all), { isNaive: true }).moves;
    expect([...some].sort(), `seed ${seed}`).toEqual([...all].sort());
  }
  expect(reduced).toBeLessThan(0.8 * naive);
});
