/**
 * One bloom against two of half the bits each, in a table of 550,000 keys: what a missing key costs, what a key that is
 * there costs, and how many missing keys are let through.
 */
import { Filter, FilterBuilder, hashHigh, hashKey } from 'varve/internals';
import { KeyBuffer } from '../../keys.ts';
import { Random } from '../../random.ts';
import { nanosecondsEach, row } from './rounds.ts';

const KEYS = 550_000;
const LOOKUPS = 8_000_000;
const CALLS = 50_000;
const ROUNDS = 41;

export function measureBlooms(): void {
  const key = new KeyBuffer(16);
  const hashes = new Uint32Array(KEYS * 2);
  for (let i = 0; i < KEYS; i++) {
    key.set(i);
    hashes[i * 2] = hashKey(key.bytes, 0, 16);
    hashes[i * 2 + 1] = hashHigh[0]!;
  }
  console.log(row(['blooms, 550,000 keys', 'false positives', 'missing, ns', 'there, ns', 'bytes a key']));
  for (const bits of [10, 12, 14, 16, 20, 24]) {
    const filters = [1, 2].map((blooms) => build(hashes, bits, blooms));
    const missing = nanosecondsEach(
      filters.map((filter) => ({ name: '', operations: CALLS, run: () => askMissing(filter, CALLS) })),
      ROUNDS,
    );
    const there = nanosecondsEach(
      filters.map((filter) => ({ name: '', operations: CALLS, run: () => askThere(filter, hashes) })),
      ROUNDS,
    );
    filters.forEach((filter, i) => {
      const rate = (askMissing(filter, LOOKUPS) / LOOKUPS) * 100;
      const name = `${bits} bits, ${i === 0 ? 'one' : `two of ${bits / 2}`}`;
      const times = [missing[i]!, there[i]!].map((ns) => ns.toFixed(1));
      console.log(row([name, `${rate.toFixed(4)} %`, ...times, (filter.memoryBytes / KEYS).toFixed(2)]));
    });
  }
}

function build(hashes: Uint32Array, bits: number, blooms: number): Filter {
  const builder = new FilterBuilder(bits, Number.POSITIVE_INFINITY, blooms);
  for (let i = 0; i < KEYS; i++) builder.add(hashes[i * 2]!, hashes[i * 2 + 1]!);
  const bytes = builder.finish()!;
  return Filter.decode(bytes, 0, bytes.length, 'bench', 0);
}

/** Hashes of keys that are not there are random numbers. */
function askMissing(filter: Filter, calls: number): number {
  const random = new Random(7);
  let maybe = 0;
  for (let i = 0; i < calls; i++) if (filter.mayContain(random.u32(), random.u32())) maybe++;
  return maybe;
}

/** Keys from the front, so that they are near and their lines are not. */
function askThere(filter: Filter, hashes: Uint32Array): number {
  let maybe = 0;
  for (let i = 0; i < CALLS; i++) if (filter.mayContain(hashes[i * 2]!, hashes[i * 2 + 1]!)) maybe++;
  return maybe;
}
