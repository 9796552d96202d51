/**
 * Puts the model's memory in the place of the real one, while a check runs: `Atomics` and the constructors of typed arrays
 * are replaced, so that the engine's own code, unchanged, makes views of the model (views.ts) wherever it is given one of the
 * model's buffers. All of it runs synchronously and is put back afterwards; arrays over other buffers are the real ones.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { type Machine, WAITS } from './machine.ts';
import { makeDataView, makeView, type TypedArrayConstructor, viewBehind } from './views.ts';
import type { Answer, StepKind } from './steps.ts';

const arrayTypes = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
] as const;

const accesses = [
  ['load', false],
  ['store', true],
  ['add', true],
  ['sub', true],
  ['and', true],
  ['or', true],
  ['xor', true],
  ['exchange', true],
  ['compareExchange', true],
] as const satisfies readonly (readonly [StepKind, boolean])[];

type AnyFunction = (...args: unknown[]) => unknown;

/** Numbers that the model's threads have in its system. */
const TASK_FIRST = 1_000_000_000;
const TASK_PATH = /^\/proc\/self\/task\/(\d+)/;

/** Runs `work` with the model in place. */
export function withModel<R>(machine: Machine, work: () => R): R {
  const restore: (() => void)[] = [];
  const put = (owner: object, key: string, value: unknown): void => {
    const real = Reflect.getOwnPropertyDescriptor(owner, key);
    Object.defineProperty(owner, key, { value, configurable: true, writable: true, enumerable: false });
    restore.push(() => {
      if (real === undefined) Reflect.deleteProperty(owner, key);
      else Object.defineProperty(owner, key, real);
    });
  };
  try {
    replaceAtomics(machine, put);
    replaceConstructors(machine, put);
    replaceSystem(machine, put);
    return work();
  } finally {
    for (const back of restore.toReversed()) back();
    syncBuiltinESMExports();
  }
}

type Put = (owner: object, key: string, value: unknown) => void;

function replaceAtomics(machine: Machine, put: Put): void {
  for (const [kind, isWrite] of accesses) {
    const real = Atomics[kind] as AnyFunction;
    put(Atomics, kind, (array: object, index: number, ...rest: unknown[]): unknown => {
      const view = viewBehind(array);
      if (view === undefined) return real(array, index, ...rest);
      return machine.touch(
        kind,
        view.wordsOf(index),
        isWrite,
        () => real(view.target, index, ...rest) as Answer,
      );
    });
  }
  const realWait = Atomics.wait as AnyFunction;
  const realNotify = Atomics.notify as AnyFunction;
  const load = Atomics.load as AnyFunction;
  put(Atomics, 'wait', (array: object, index: number, value: unknown, timeoutMs?: number): unknown => {
    const view = viewBehind(array);
    if (view === undefined) return realWait(array, index, value, timeoutMs);
    return machine.touch(
      timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY ? 'wait' : 'waitAtMost',
      view.wordsOf(index),
      true,
      () => {
        if (load(view.target, index) !== value) return 'not-equal';
        return timeoutMs === 0 ? 'timed-out' : WAITS;
      },
    );
  });
  put(Atomics, 'notify', (array: object, index: number, count = Number.POSITIVE_INFINITY): unknown => {
    const view = viewBehind(array);
    if (view === undefined) return realNotify(array, index, count);
    const words = view.wordsOf(index);
    return machine.touch('notify', words, true, () => machine.notify(words[0]!, count));
  });
  put(Atomics, 'waitAsync', () => {
    throw new Error('a model has no Atomics.waitAsync');
  });
}

/**
 * The engine asks the system whether a thread runs (engine/sharing/thread-liveness.ts): here the model's threads are the tasks
 * of the process, and to ask is a step. No time passes.
 */
function replaceSystem(machine: Machine, put: Put): void {
  const { existsSync, readFileSync, readlinkSync } = fs;
  const isThere = (task: number): boolean => task < TASK_FIRST || !machine.isDead(task - TASK_FIRST);
  const taskOf = (path: unknown): number | undefined => {
    const [, task] = TASK_PATH.exec(String(path)) ?? [];
    return task === undefined || Number(task) < TASK_FIRST ? undefined : Number(task);
  };
  put(fs, 'existsSync', (path: string) => {
    const task = taskOf(path);
    return task === undefined ? existsSync(path) : isThere(task);
  });
  put(fs, 'readFileSync', (path: string, ...rest: unknown[]): unknown => {
    const task = taskOf(path);
    if (task === undefined) return (readFileSync as AnyFunction)(path, ...rest);
    if (!isThere(task)) throw new Error(`ENOENT: no such file or directory, open '${path}'`);
    return `${task} (model) S ${'0 '.repeat(18)}${task} 0`;
  });
  put(fs, 'readlinkSync', (path: string, ...rest: unknown[]): unknown => {
    if (path !== '/proc/thread-self') return (readlinkSync as AnyFunction)(path, ...rest);
    return `1/task/${TASK_FIRST + machine.thread}`;
  });
  syncBuiltinESMExports();
  put(performance, 'now', () => 0);
  put(Date, 'now', () => 0);
}

function replaceConstructors(machine: Machine, put: Put): void {
  for (const name of arrayTypes) {
    const real = globalThis[name] as unknown as TypedArrayConstructor;
    const replaced = new Proxy(real, {
      construct(target, args: unknown[], newTarget) {
        const [buffer, byteOffset, length] = args;
        if (machine.memory.firstWord(buffer) < 0) return Reflect.construct(target, args, newTarget) as object;
        return makeView(
          machine,
          real,
          buffer as SharedArrayBuffer,
          byteOffset as number | undefined,
          length as number | undefined,
        );
      },
    });
    put(globalThis, name, replaced);
  }
  const RealDataView = DataView;
  const dataView = new Proxy(RealDataView, {
    construct(target, args: unknown[], newTarget) {
      const [buffer, byteOffset, length] = args;
      if (machine.memory.firstWord(buffer) < 0) return Reflect.construct(target, args, newTarget) as object;
      return makeDataView(
        machine,
        RealDataView,
        buffer as SharedArrayBuffer,
        byteOffset as number | undefined,
        length as number | undefined,
      );
    },
  });
  put(globalThis, 'DataView', dataView);
  // What the engine takes while an instance is set up is shared.
  const shared = new Proxy(SharedArrayBuffer, {
    construct(target, args: unknown[], newTarget) {
      const buffer = Reflect.construct(target, args, newTarget) as SharedArrayBuffer;
      if (machine.mode === 'free') machine.memory.add(buffer, `m${machine.memory.regions}`);
      return buffer;
    },
  });
  put(globalThis, 'SharedArrayBuffer', shared);
}
