/**
 * A read of a skiplist with writes between any two of its loads, one thread: the reader's view of the pool adds entries
 * when the n-th word is loaded, straight beside what is searched, where links and hints change.
 */
import { expect, test } from 'vitest';
import { SegmentPool } from '../arena/segment-pool.ts';
import { SEQUENCE_MAX } from '../base/entry.ts';
import { KIND_PUT } from '../base/kinds.ts';
import { Random } from '../base/random.ts';
import { addTo, found } from './memtable.suite.ts';
import { attachMemtableAt, makeSharedMemtable } from './memtable.ts';

/** Three bytes that differ, what a code holds: every key has a code of its own. */
function keyOf(number: number): Uint8Array {
  return Uint8Array.of(97, number >>> 16, number >>> 8, number);
}

/** A view of the pool whose words call `interrupt` at one of the loads to come. */
class InterruptedPool {
  readonly pool: SegmentPool;
  loadsLeft = 0;
  interrupt: () => void = () => {};

  constructor(pool: SegmentPool) {
    this.pool = SegmentPool.attach(pool.handle());
    const words = new Proxy(this.pool.words, {
      get: (of, name) => {
        if (this.loadsLeft-- === 0) this.interrupt();
        return Reflect.get(of, name, of) as unknown;
      },
    });
    Object.assign(this.pool, { words });
  }
}

function complaintsOf(seed: number, trials: number): string[] {
  const random = new Random(seed);
  const pool = new SegmentPool(16 << 20);
  const writer = makeSharedMemtable(pool)!;
  const view = new InterruptedPool(pool);
  const reader = attachMemtableAt(view.pool, writer.descriptor);
  const published = new Map<number, number>();
  const numbers: number[] = [];
  let sequence = 0;
  const write = (number: number): void => {
    addTo(writer, ++sequence, KIND_PUT, keyOf(number), Buffer.from(String(sequence)));
    if (!published.has(number)) numbers.push(number);
    published.set(number, sequence);
  };
  for (let i = 0; i < 50; i++) write(random.below(2 ** 24));
  const complaints: string[] = [];
  const it = reader.iterator();
  for (let trial = 0; trial < trials; trial++) {
    const target = random.oneIn(2) ? numbers.at(-1)! : random.pick(numbers);
    const key = keyOf(target);
    const at = sequence;
    const newest = published.get(target)!;
    // Beside the searched key, at a distance in the first byte, the second or the third; itself now and then.
    view.interrupt = () => {
      for (let adds = 1 + random.below(3); adds > 0; adds--) {
        const distance = random.below(2 ** random.pick([2, 8, 16, 23]));
        write(Math.min(2 ** 24 - 1, Math.max(0, random.oneIn(3) ? target + distance : target - distance)));
      }
    };
    view.loadsLeft = random.below(random.pick([20, 100, 400]));
    if (random.oneIn(3)) {
      it.seek(key, 0, key.length, at);
      if (!it.valid || it.sequence !== newest) complaints.push(`seek ${target}: ${it.sequence}, ${newest}`);
      it.seekBefore(key, 0, key.length);
      let last = target;
      for (let steps = 3; it.valid && steps > 0; steps--) {
        const number =
          (it.key[it.keyStart + 1]! << 16) | (it.key[it.keyStart + 2]! << 8) | it.key[it.keyStart + 3]!;
        if (number > last) complaints.push(`prev ${number} from ${last}`);
        last = number;
        it.prev();
      }
    } else {
      const shown = found(reader, key, at);
      if (shown !== `${newest} 1 ${newest}`) complaints.push(`${target} at ${at}: ${shown}, not ${newest}`);
    }
    view.loadsLeft = -1;
  }
  for (const [number, newest] of published) {
    const shown = found(writer, keyOf(number), SEQUENCE_MAX);
    if (shown !== `${newest} 1 ${newest}`) complaints.push(`${number} in the end: ${shown}, not ${newest}`);
  }
  return complaints;
}

test.for([1, 2, 3])('a read is right with writes between any two of its loads (seed %i)', (seed) => {
  expect(complaintsOf(seed, 4000)).toEqual([]);
});
