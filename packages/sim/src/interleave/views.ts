/**
 * Typed arrays and DataViews over the memory of a model, for the engine's own code: they look like the real ones, and each
 * access of an element is a step (machine.ts). What copies many elements (`set`, `fill`, `slice`) is a step an element.
 */
import type { Machine } from './machine.ts';
import type { Answer, StepKind } from './steps.ts';

export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

export type TypedArrayConstructor = {
  new (buffer: SharedArrayBuffer, byteOffset?: number, length?: number): TypedArray;
  readonly BYTES_PER_ELEMENT: number;
  readonly name: string;
};

/** A view and the real array that it stands for. */
export interface View {
  readonly target: TypedArray;
  /** The words of the model that an element lies in. */
  wordsOf(index: number): readonly number[];
}

type Elements = Record<number, Answer>;

const views = new WeakMap<object, View>();

/** What an array stands for; undefined for a real one. */
export function viewBehind(array: object): View | undefined {
  return views.get(array);
}

/** Views have no state of their own, and every replay makes them again. */
const made = new WeakMap<SharedArrayBuffer, Map<string, TypedArray>>();

/** A typed array over a buffer that is part of the model's memory. */
export function makeView(
  machine: Machine,
  type: TypedArrayConstructor,
  buffer: SharedArrayBuffer,
  byteOffset = 0,
  length?: number,
): TypedArray {
  let ofBuffer = made.get(buffer);
  if (ofBuffer === undefined) made.set(buffer, (ofBuffer = new Map<string, TypedArray>()));
  const key = `${type.name} ${byteOffset} ${length}`;
  let view = ofBuffer.get(key);
  if (view === undefined) ofBuffer.set(key, (view = newView(machine, type, buffer, byteOffset, length)));
  return view;
}

function newView(
  machine: Machine,
  type: TypedArrayConstructor,
  buffer: SharedArrayBuffer,
  byteOffset: number,
  length: number | undefined,
): TypedArray {
  const target = new type(buffer, byteOffset, length);
  const elements = target as unknown as Elements;
  const first = machine.memory.firstWord(buffer);
  const size = type.BYTES_PER_ELEMENT;
  const wordsOf = (index: number): readonly number[] => {
    const from = first + ((byteOffset + index * size) >>> 2);
    return size === 8 ? [from, from + 1] : [from];
  };
  const get = (index: number): Answer =>
    index < target.length ? machine.touch('read', wordsOf(index), false, () => elements[index]) : undefined;
  const put = (index: number, value: Answer): void => {
    if (index >= target.length) return;
    machine.touch('write', wordsOf(index), true, () => {
      elements[index] = value;
      return undefined;
    });
  };
  const part = (from = 0, to = target.length): TypedArray => {
    const [start, end] = [placeOf(from, target.length), placeOf(to, target.length)];
    return makeView(machine, type, buffer, byteOffset + start * size, Math.max(0, end - start));
  };
  const methods: Record<string | symbol, unknown> = {
    subarray: part,
    set(source: ArrayLike<Answer>, at = 0): void {
      if (at + source.length > target.length) throw new RangeError('offset is out of bounds');
      for (let i = 0; i < source.length; i++) put(at + i, source[i]);
    },
    fill(value: Answer, from = 0, to = target.length): unknown {
      const end = placeOf(to, target.length);
      for (let i = placeOf(from, target.length); i < end; i++) put(i, value);
      return proxy;
    },
    slice(from = 0, to = target.length): unknown {
      const source = part(from, to);
      const copy = new type(new ArrayBuffer(source.byteLength) as unknown as SharedArrayBuffer);
      for (let i = 0; i < source.length; i++) (copy as unknown as Elements)[i] = source[i];
      return copy;
    },
    copyWithin(to: number, from: number, end = target.length): unknown {
      const copied: Answer[] = [];
      for (let i = from; i < placeOf(end, target.length); i++) copied.push(get(i));
      copied.forEach((value, i) => put(to + i, value));
      return proxy;
    },
    *[Symbol.iterator](): Generator<Answer> {
      for (let i = 0; i < target.length; i++) yield get(i);
    },
  };
  const proxy: TypedArray = new Proxy(target, {
    get(_, key) {
      if (typeof key === 'string') {
        const index = Number(key);
        if (Number.isInteger(index) && index >= 0) return get(index);
      }
      if (Object.hasOwn(methods, key)) return methods[key];
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function' || key === 'constructor') return value;
      // The methods of arrays go by elements, and so through this proxy.
      const generic: unknown = Reflect.get(Array.prototype, key);
      if (typeof generic === 'function') return generic;
      throw new Error(`a model has no method ${String(key)} of typed arrays`);
    },
    set(_, key, value: Answer) {
      const index = Number(key);
      // What is no place is ignored, as by the real ones.
      if (Number.isInteger(index) && index >= 0) put(index, value);
      return true;
    },
  });
  views.set(proxy, { target, wordsOf });
  return proxy;
}

/** A DataView over a buffer that is part of the model's memory. */
export function makeDataView(
  machine: Machine,
  type: DataViewConstructor,
  buffer: SharedArrayBuffer,
  byteOffset = 0,
  byteLength?: number,
): DataView {
  const target = new type(buffer as unknown as ArrayBuffer, byteOffset, byteLength);
  const first = machine.memory.firstWord(buffer);
  return new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const [, access, bits] = /^(get|set)\D+(\d+)$/.exec(String(key)) ?? [];
      if (access === undefined) return value;
      const kind: StepKind = access === 'get' ? 'read' : 'write';
      return (at: number, ...rest: unknown[]): Answer => {
        const words: number[] = [];
        const end = (byteOffset + at + Number(bits) / 8 - 1) >>> 2;
        for (let word = (byteOffset + at) >>> 2; word <= end; word++) words.push(first + word);
        return machine.touch(kind, words, kind === 'write', () =>
          Reflect.apply(value, target, [at, ...rest]),
        );
      };
    },
  });
}

function placeOf(index: number, length: number): number {
  return index < 0 ? Math.max(0, length + index) : Math.min(index, length);
}
