/**
 * The skiplist of memtables (packages/varve/src/memtable/node.ts): one writer, readers beside it without a lock, and a writer that
 * dies in the middle of a batch, which the next one adds again.
 *
 * What is published is found exactly: a reader that saw sequence s finds every key of s and below, by get and by both ways
 * of an iterator, in order, once, with its value.
 */
import {
  attachMemtableAt,
  KIND_PUT,
  makeSharedMemtable,
  type Memtable,
  PointResult,
  SegmentPool,
} from 'varve/internals';
import { type Instance, instance, thread } from './instance.ts';

interface Shared {
  readonly pool: ReturnType<SegmentPool['handle']>;
  readonly descriptor: number;
  /** Word 0: the sequence that is published. */
  readonly control: SharedArrayBuffer;
}

type Op = readonly [sequence: number, key: string, value: string];

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function textOf(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCodePoint(bytes[i]!);
  return text;
}

function add(list: Memtable, [sequence, key, value]: Op): void {
  const [keyBytes, valueBytes] = [encode(key), encode(value)];
  list.add(sequence, KIND_PUT, keyBytes, 0, keyBytes.length, valueBytes, 0, valueBytes.length);
}

function attach({ pool, descriptor }: Shared): Memtable {
  return attachMemtableAt(SegmentPool.attach(pool), descriptor);
}

/** The list holds `before`; sequence 1 is published. */
function setup(before: readonly Op[]): Instance<Shared>['setup'] {
  return (label) => {
    const pool = new SegmentPool(2048, 512);
    const list = makeSharedMemtable(pool)!;
    if (!list.reserve(512, 8)) throw new Error('the pool of the model is too small');
    for (const op of before) add(list, op);
    const control = new SharedArrayBuffer(4);
    label(control, 'control', { 0: 'published' });
    label(pool.buffer, 'pool');
    label(pool.handle().table, 'table');
    new Int32Array(control)[0] = 1;
    return { pool: pool.handle(), descriptor: list.descriptor, control };
  };
}

function addAndPublish(shared: Shared, batches: readonly (readonly Op[])[]): Memtable {
  const list = attach(shared);
  const control = new Int32Array(shared.control);
  for (const batch of batches) {
    list.reserve(16 * batch.length, batch.length);
    for (const op of batch) add(list, op);
    Atomics.store(control, 0, batch[0]![0]);
  }
  return list;
}

function must(isTrue: boolean, what: () => string): void {
  if (!isTrue) throw new Error(what());
}

/** What a reader is to find: of all that is ever added, the newest of each key at or below a sequence. */
class Expected {
  readonly #ops: readonly Op[];

  constructor(ops: readonly Op[]) {
    this.#ops = ops;
  }

  at(sequence: number): [key: string, value: string][] {
    const newest = new Map<string, string>();
    for (const [at, key, value] of this.#ops) if (at <= sequence) newest.set(key, value);
    return [...newest].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  get(list: Memtable, key: string, sequence: number): void {
    const bytes = encode(key);
    const out = new PointResult();
    const wanted = this.at(sequence).find(([each]) => each === key)?.[1];
    const isThere = list.get(bytes, 0, bytes.length, sequence, out);
    const got = isThere ? textOf(out.value, out.valueStart, out.valueEnd) : undefined;
    must(got === wanted, () => `get '${key}' at ${sequence} gives ${got}, not ${wanted}`);
  }

  walk(list: Memtable, sequence: number, isForward: boolean): void {
    const wanted = JSON.stringify(this.at(sequence));
    const got = JSON.stringify(walk(list, sequence, isForward));
    must(
      got === wanted,
      () => `a walk ${isForward ? 'on' : 'back'} at ${sequence} gives ${got}, not ${wanted}`,
    );
  }

  all(list: Memtable, sequence: number): void {
    for (const [key] of this.at(sequence)) this.get(list, key, sequence);
    this.walk(list, sequence, true);
    this.walk(list, sequence, false);
  }
}

function walk(list: Memtable, sequence: number, isForward: boolean): [key: string, value: string][] {
  const it = list.iterator();
  const seen: [string, string][] = [];
  for (isForward ? it.first() : it.last(); it.valid; isForward ? it.next() : it.prev()) {
    if (it.sequence > sequence) continue;
    const key = textOf(it.key, it.keyStart, it.keyEnd);
    const isOther = seen.at(-1)?.[0] !== key;
    if (isForward && !isOther) continue;
    if (!isOther) seen.pop();
    seen.push([key, textOf(it.value, it.valueStart, it.valueEnd)]);
  }
  return isForward ? seen : seen.reverse();
}

type Read = (list: Memtable, sequence: number, expected: Expected) => void;

const get =
  (...keys: string[]): Read =>
  (list, sequence, expected) => {
    for (const key of keys) expected.get(list, key, sequence);
  };
const walkOn: Read = (list, sequence, expected) => expected.walk(list, sequence, true);
const walkBack: Read = (list, sequence, expected) => expected.walk(list, sequence, false);

interface Scenario {
  readonly name: string;
  readonly before: readonly Op[];
  readonly batches: readonly (readonly Op[])[];
  readonly reads: readonly Read[];
  /** The writer may die in its last batch. */
  readonly mayDie?: boolean;
}

function scenario({ name, before, batches, reads, mayDie = false }: Scenario): Instance {
  const expected = new Expected([...before, ...batches.flat()]);
  const write = thread<Shared, undefined>({
    name: 'writer',
    mayDie,
    run: (shared) => void addAndPublish(shared, batches),
  });
  const heir = thread<Shared, undefined>({
    name: 'heir',
    isDaemon: true,
    run(shared, self) {
      self.untilDead(0);
      const batch = batches.at(-1)!;
      expected.all(addAndPublish(shared, [batch]), batch[0]![0]);
    },
  });
  const readers = reads.map((read, i) =>
    thread<Shared, undefined>({
      name: `reader ${i}`,
      run(shared) {
        const sequence = Atomics.load(new Int32Array(shared.control), 0);
        read(attach(shared), sequence, expected);
      },
    }),
  );
  return instance<Shared>({
    name,
    setup: setup(before),
    threads: [write, ...readers, ...(mayDie ? [heir] : [])],
    finish({ dead }, shared) {
      if (!dead[0]) expected.all(attach(shared), batches.at(-1)![0]![0]);
    },
  });
}

const some: readonly Op[] = [
  [1, 'a', '1'],
  [1, 'c', '1'],
];
/** Keys that share bytes behind an insert before them. */
const close: readonly Op[] = [
  [1, 'ca', '1'],
  [1, 'cb', '1'],
];
const four: readonly Op[] = [...some, [1, 'ab', '1'], [1, 'b', '1']];

const one = (key: string): (readonly Op[])[] => [[[2, key, '2']]];

/** Heights of towers follow from how many entries there were before. */
export const skiplistInstances: readonly Instance[] = [
  scenario({
    name: 'skiplist: get beside an insert',
    before: some,
    batches: one('b'),
    reads: [get('b', 'c')],
  }),
  scenario({ name: 'skiplist: get behind an insert', before: close, batches: one('b'), reads: [get('cb')] }),
  scenario({
    name: 'skiplist: get beside a tower',
    before: four,
    batches: one('aa'),
    reads: [get('aa'), get('c', 'b')],
  }),
  scenario({
    name: 'skiplist: get beside a new version',
    before: some,
    batches: one('c'),
    reads: [get('c')],
  }),
  scenario({ name: 'skiplist: a walk on', before: some, batches: one('b'), reads: [walkOn] }),
  scenario({ name: 'skiplist: a walk back', before: some, batches: one('b'), reads: [walkBack] }),
  scenario({ name: 'skiplist: a writer dies', before: some, batches: one('A'), reads: [], mayDie: true }),
];

export const skiplistDeepInstances: readonly Instance[] = [
  scenario({
    name: 'skiplist: two readers',
    before: some,
    batches: one('b'),
    reads: [get('b'), get('c')],
  }),
  scenario({
    name: 'skiplist: walks beside a batch',
    before: some,
    batches: [
      [
        [2, 'b', '2'],
        [2, 'a', '2'],
      ],
    ],
    reads: [walkOn, walkBack],
  }),
  scenario({
    name: 'skiplist: a writer dies beside a reader',
    before: some,
    batches: one('A'),
    reads: [get('A', 'c')],
    mayDie: true,
  }),
  scenario({
    name: 'skiplist: a batch of three',
    before: four,
    batches: [
      [
        [2, 'aa', '2'],
        [2, 'ba', '2'],
        [2, 'c', '2'],
      ],
    ],
    reads: [get('ba', 'c'), walkOn],
  }),
];
