/** A skiplist that one thread writes while another reads: what is published is found exactly, at every moment. */
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { compareBytes } from '../base/bytes.ts';
import { PointResult, SEQUENCE_MAX } from '../base/entry.ts';
import type { EntryIterator } from '../base/entry.ts';
import { KIND_RANGE_DELETE } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { attachMemtable, makeSharedMemtable } from './memtable.ts';
import type { Memtable } from './memtable.ts';

const BATCHES = 20_000;
/** Words of the control block: the published sequence; the writer has ended. */
const PUBLISHED = 0;
const ENDED = 1;

/** How the keys of a batch, three of them, are chosen: a function that the writer's thread gets as text. */
interface Order {
  readonly keys: number;
  readonly numberOf: (sequence: number, i: number) => number;
  readonly keyOf: (number: number) => string;
}

const orders: Readonly<Record<string, Order>> = {
  // Long and short common prefixes, bytes of 0 and 255, many versions of a key.
  scattered: {
    keys: 5000,
    numberOf: (sequence, i) => (sequence * 7919 + i * 104_729 + ((sequence * i) >>> 3)) % 5000,
    keyOf: (number) => {
      const tail = number % 3 === 0 ? `\u0000${number}` : String(number).padStart(9, '0');
      return `${number % 7 === 0 ? '\u00ff\u00ff\u00ff' : 'tenant:'}${tail}`;
    },
  },
  // Always straight in front of what the reader asks for: its links and hints change under it.
  descending: {
    keys: 60_003,
    numberOf: (sequence, i) => 60_002 - 3 * sequence - i,
    // Keys that differ in the bytes of their codes: a hint of another moment leads astray.
    keyOf: (number) => String.fromCharCode(97, number >> 8, number & 255),
  },
};

const source = `
  const { workerData, parentPort } = await import('node:worker_threads');
  const { attachMemtable } = await import(workerData.url);
  const { control, handle, keys, batches } = workerData;
  const numberOf = (0, eval)(workerData.numberOf);
  const memtable = attachMemtable(handle);
  const begin = new Promise((resolve) => parentPort.once('message', resolve));
  parentPort.postMessage('ready');
  await begin;
  const text = new TextEncoder();
  const z = text.encode('zz');
  const zz = text.encode('zzz');
  try {
    for (let sequence = 1; sequence <= batches; sequence++) {
      for (let i = 0; i < 3; i++) {
        const key = keys[numberOf(sequence, i)];
        const value = text.encode(String(sequence));
        // What is replaced within the batch is never seen.
        if (sequence % 5 === 0) memtable.add(sequence, 1, key, 0, key.length, z, 0, 1);
        memtable.add(sequence, 1, key, 0, key.length, value, 0, value.length);
      }
      if (sequence % 500 === 0) memtable.add(sequence, workerData.rangeDelete, z, 0, 2, zz, 0, 3);
      Atomics.store(control, ${PUBLISHED}, sequence);
    }
  } finally {
    Atomics.store(control, ${ENDED}, 1);
  }`;

interface Version {
  readonly number: number;
  readonly key: Uint8Array;
  readonly sequence: number;
}

/** All versions of the whole run in internal order; where each key's begin. */
function allVersions(
  keys: readonly Uint8Array[],
  numberOf: Order['numberOf'],
): { versions: Version[]; starts: number[] } {
  const byKey = Array.from(keys, () => new Set<number>());
  for (let sequence = 1; sequence <= BATCHES; sequence++)
    for (let i = 0; i < 3; i++) byKey[numberOf(sequence, i)]!.add(sequence);
  const order = keys.map((_, number) => number).sort((a, b) => compareBytes(keys[a]!, keys[b]!));
  const versions: Version[] = [];
  const starts: number[] = [];
  for (const number of order) {
    starts[number] = versions.length;
    for (const sequence of [...byKey[number]!].reverse())
      versions.push({ number, key: keys[number]!, sequence });
  }
  return { versions, starts };
}

class Reader {
  readonly #memtable: Memtable;
  readonly #keys: readonly Uint8Array[];
  readonly #versions: readonly Version[];
  readonly #starts: readonly number[];
  readonly #out = new PointResult();
  readonly #it: EntryIterator;

  constructor(memtable: Memtable, keys: readonly Uint8Array[], numberOf: Order['numberOf']) {
    this.#memtable = memtable;
    this.#keys = keys;
    const { versions, starts } = allVersions(keys, numberOf);
    this.#versions = versions;
    this.#starts = starts;
    this.#it = memtable.iterator();
  }

  /** First version from `at` on, or the last before it, that is at or below `sequence`. */
  #visible(at: number, step: number, sequence: number): number {
    let i = at;
    while (i >= 0 && i < this.#versions.length && this.#versions[i]!.sequence > sequence) i += step;
    return i;
  }

  get(number: number, sequence: number): string {
    const key = this.#keys[number]!;
    const at = this.#visible(this.#starts[number]!, 1, sequence);
    const expected = this.#versions[at]?.number === number ? this.#versions[at]!.sequence : 0;
    const out = this.#out;
    let isFound = true;
    // Many times: a wrong answer takes a moment of a few nanoseconds to hit.
    for (let i = 0; i < 16 && isFound; i++) isFound = this.#memtable.get(key, 0, key.length, sequence, out);
    if (!isFound) return expected === 0 ? '' : `${number} at ${sequence}: nothing for ${expected}`;
    const value = Buffer.from(out.value.slice(out.valueStart, out.valueEnd)).toString();
    if (out.sequence === expected && value === String(expected)) return '';
    return `${number} at ${sequence}: ${out.sequence} ${value} for ${expected}`;
  }

  walk(number: number, sequence: number, step: 1 | -1): string {
    const it = this.#it;
    const key = this.#keys[number]!;
    let at = this.#starts[number]!;
    if (step === 1) it.seek(key, 0, key.length, SEQUENCE_MAX);
    else {
      it.seekBefore(key, 0, key.length);
      at--;
    }
    for (let i = 0; i < 30; i++) {
      at = this.#visible(at, step, sequence);
      while (it.valid && it.sequence > sequence) this.#move(step);
      const version = this.#versions[at];
      if (version === undefined) return it.valid ? `an entry behind the end at ${sequence}` : '';
      if (!it.valid) return `the end for ${version.number} ${version.sequence} at ${sequence}`;
      const own = it.key.slice(it.keyStart, it.keyEnd);
      if (compareBytes(own, version.key) !== 0 || it.sequence !== version.sequence) {
        return `${own} ${it.sequence} for ${version.key} ${version.sequence} at ${sequence}, step ${step}`;
      }
      at += step;
      this.#move(step);
    }
    return '';
  }

  #move(step: 1 | -1): void {
    if (step === 1) this.#it.next();
    else this.#it.prev();
  }
}

test.for(Object.keys(orders))(
  'a reader finds exactly what another thread publishes: keys come %s',
  async (name) => {
    const order = orders[name]!;
    const { numberOf } = order;
    const pool = new SegmentPool(32 << 20);
    const memtable = makeSharedMemtable(pool)!;
    const keys = Array.from(
      { length: order.keys },
      (_, number) => new Uint8Array(Buffer.from(order.keyOf(number), 'latin1')),
    );
    const control = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      workerData: {
        url: new URL('./memtable.ts', import.meta.url).href,
        handle: memtable.handle(),
        control,
        keys,
        batches: BATCHES,
        numberOf: numberOf.toString(),
        rangeDelete: KIND_RANGE_DELETE,
      },
      execArgv: ['--no-warnings'],
    });
    const exit = new Promise((resolve) => worker.once('exit', resolve));
    await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    const reader = new Reader(attachMemtable(structuredClone(memtable.handle())), keys, numberOf);
    const random = new Random(1);
    const complaints: string[] = [];
    worker.postMessage('begin');
    for (let hasEnded = false, rest = 2000; rest > 0 && complaints.length === 0; ) {
      hasEnded = Atomics.load(control, ENDED) === 1;
      if (hasEnded) rest--;
      const published = Atomics.load(control, PUBLISHED);
      const sequence = random.oneIn(3) ? random.below(published + 1) : published;
      // Mostly what was written last, where the writer is.
      const number = random.oneIn(8)
        ? random.below(order.keys)
        : numberOf(Math.max(1, published - random.below(2)), random.below(3));
      const complaint = random.oneIn(8)
        ? reader.walk(number, sequence, random.oneIn(2) ? 1 : -1)
        : reader.get(number, sequence);
      if (complaint !== '') complaints.push(complaint);
      if (!random.oneIn(50)) continue;
      const tombstones = published < 500 ? 0 : Math.floor(published / 500) * 500;
      const covering = memtable.rangeTombstones()?.coveringSequence(Buffer.from('zza'), 0, 3, published) ?? 0;
      if (covering !== tombstones) complaints.push(`range delete ${covering} for ${tombstones}`);
    }
    await exit;
    expect(complaints).toEqual([]);
    expect(control[PUBLISHED]).toBe(BATCHES);
    expect([memtable.firstSequence, memtable.lastSequence]).toEqual([1, BATCHES]);
  },
);
