/** Hit rates of the replacement policies on seeded traces: who keeps what, with margins that no detail of a trace decides. */
import { describe, expect, test } from 'vitest';
import { Random } from '../base/random.ts';
import { BlockCache } from './block-cache.ts';
import { clock } from './clock.ts';
import type { MakeReplacement } from './replacement.ts';
import { s3Fifo } from './s3-fifo.ts';

const SLOTS = 512;
const BLOCKS = SLOTS * 10;
const READS = 60_000;
const content = new Uint8Array(4000);

/** Gives the next block that is read; below 0 for one of a scan, which does not count. */
type Trace = () => number;

/** Zipfian with exponent 0.99, block 0 the most often (Gray et al., SIGMOD 1994). */
function zipfian(random: Random): Trace {
  const theta = 0.99;
  let zeta = 0;
  for (let i = 1; i <= BLOCKS; i++) zeta += 1 / i ** theta;
  const eta = (1 - (2 / BLOCKS) ** (1 - theta)) / (1 - (1 + 0.5 ** theta) / zeta);
  return () => {
    const u = random.fraction();
    if (u * zeta < 1) return 0;
    if (u * zeta < 1 + 0.5 ** theta) return 1;
    return Math.floor(BLOCKS * (eta * u - eta + 1) ** (1 / (1 - theta)));
  };
}

const traces = {
  zipfian: () => zipfian(new Random(1)),
  uniform: () => {
    const random = new Random(2);
    return () => random.below(BLOCKS);
  },
  zipfianAndScans: () => {
    const hot = zipfian(new Random(1));
    let reads = 0;
    let scanned = BLOCKS;
    return () => {
      if (scanned < BLOCKS) return -1 - scanned++;
      if (++reads % 10_000 === 0) scanned = 0;
      return hot();
    };
  },
  latest: () => {
    const hot = zipfian(new Random(3));
    let newest = BLOCKS;
    let reads = 0;
    return () => (++reads % 20 === 0 ? ++newest : newest - hot());
  },
  loop: () => {
    let reads = 0;
    return () => reads++ % Math.floor(SLOTS * 1.1);
  },
} satisfies Record<string, () => Trace>;

/** Percent of the reads that were hits, once the cache was warm. */
function hitRate(make: MakeReplacement, trace: Trace): number {
  const cache = new BlockCache(SLOTS * 4096, undefined, make);
  let hits = 0;
  for (let reads = -READS / 4; reads < READS; ) {
    const next = trace();
    const block = next < 0 ? -1 - next : next;
    const isHit = cache.lookup(1, block) >= 0;
    if (!isHit) cache.insert(1, block, content, 0, 4000);
    if (next < 0) continue;
    if (reads++ >= 0 && isHit) hits++;
  }
  return (hits / READS) * 100;
}

describe('S3-FIFO', () => {
  test('keeps more of what is read often than CLOCK', () => {
    expect(hitRate(s3Fifo, traces.zipfian())).toBeGreaterThan(hitRate(clock, traces.zipfian()) + 2);
    expect(hitRate(s3Fifo, traces.latest())).toBeGreaterThan(hitRate(clock, traces.latest()) + 1);
  });

  test('loses nothing to scans of everything', () => {
    const without = hitRate(s3Fifo, traces.zipfian());
    const withScans = hitRate(s3Fifo, traces.zipfianAndScans());
    expect(withScans).toBeGreaterThan(without - 2);
    expect(withScans).toBeGreaterThan(hitRate(clock, traces.zipfianAndScans()) + 2);
  });

  test('keeps most of a loop that is a little longer than the cache, of which CLOCK keeps nothing', () => {
    expect(hitRate(s3Fifo, traces.loop())).toBeGreaterThan(50);
    expect(hitRate(clock, traces.loop())).toBeLessThan(10);
  });

  test('is no worse and no better where there is nothing to know', () => {
    const share = (100 * SLOTS) / BLOCKS;
    for (const make of [s3Fifo, clock]) {
      expect(Math.abs(hitRate(make, traces.uniform()) - share)).toBeLessThan(1);
    }
  });
});
