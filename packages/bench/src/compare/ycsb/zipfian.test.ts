import { describe, expect, test } from 'vitest';
import { Random } from '../../random.ts';
import { hashNumber, hashNumberModulo } from './fnv.ts';
import { drawRequests, INSERT, MODIFY, READ, SCAN, UPDATE } from './requests.ts';
import { Latest, ScrambledZipfian, Zipfian } from './zipfian.ts';

const DRAWS = 100_000;

/** How often each item is drawn. */
function counts(items: number, next: () => number): Uint32Array {
  const drawn = new Uint32Array(items);
  for (let i = 0; i < DRAWS; i++) drawn[next()]!++;
  return drawn;
}

describe('the FNV hash', () => {
  /** The definition, in big integers. */
  function plain(value: number): bigint {
    let hash = 0xcbf29ce484222325n;
    let rest = BigInt(value);
    for (let octet = 0; octet < 8; octet++) {
      hash = BigInt.asUintN(64, (hash ^ (rest & 255n)) * 1099511628211n);
      rest >>= 8n;
    }
    return hash;
  }

  test.each([0, 1, 255, 256, 4_294_967_295, 4_294_967_296, 9_999_999_999])(
    'of %i is that of YCSB',
    (value) => {
      const hash = hashNumber(value);
      expect((BigInt(hash.high) << 32n) | BigInt(hash.low)).toBe(plain(value));
      const signed = BigInt.asIntN(64, plain(value));
      const absolute = signed < 0n ? -signed : signed;
      for (const modulus of [1, 1_000, 999_983, 2 ** 31 - 1]) {
        expect(hashNumberModulo(hash, modulus)).toBe(Number(absolute % BigInt(modulus)));
      }
    },
  );
});

describe('zipfian', () => {
  test('draws item i in proportion to 1 / (i + 1)^0.99', () => {
    const items = 1_000;
    const zipfian = new Zipfian(items, new Random(1));
    const drawn = counts(items, () => zipfian.next());
    let sum = 0;
    for (let i = 1; i <= items; i++) sum += 1 / i ** 0.99;
    // The algorithm of Gray et al. is exact for the first two items and smooth behind them.
    for (const item of [0, 1]) {
      const expected = DRAWS / sum / (item + 1) ** 0.99;
      expect(Math.abs(drawn[item]! / expected - 1)).toBeLessThan(0.05);
    }
    const share = (from: number, to: number): number =>
      drawn.slice(from, to).reduce((a, b) => a + b, 0) / DRAWS;
    expect(share(0, 10)).toBeGreaterThan(0.36);
    expect(share(0, 10)).toBeLessThan(0.42);
    expect(share(500, 1_000)).toBeGreaterThan(0.06);
    expect(share(500, 1_000)).toBeLessThan(0.12);
  });

  test('that grew is the same as one that began so large', () => {
    const grown = new Zipfian(10, new Random(7));
    grown.grow(500);
    const fresh = new Zipfian(500, new Random(7));
    for (let i = 0; i < 1_000; i++) expect(grown.next()).toBe(fresh.next());
  });

  test('scrambled has popular records far apart and all within bounds', () => {
    const records = 1_000;
    const scrambled = new ScrambledZipfian(records, new Random(1));
    const drawn = counts(records, () => scrambled.next());
    const popular = [...drawn.keys()].toSorted((a, b) => drawn[b]! - drawn[a]!).slice(0, 5);
    // The sum over ten billion items is 26.47, so the first has 1 / 26.47 of all draws.
    expect(drawn[popular[0]!]! / DRAWS).toBeCloseTo(1 / 26.469, 2);
    const sorted = popular.toSorted((a, b) => a - b);
    expect(sorted.at(-1)! - sorted[0]!).toBeGreaterThan(200);
  });

  test('latest prefers the newest record, also after inserts', () => {
    const latest = new Latest(100, new Random(1));
    for (let i = 0; i < 100; i++) latest.insert();
    const drawn = counts(200, () => latest.next());
    expect(drawn[199]).toBeGreaterThan(drawn[198]!);
    expect(drawn[198]).toBeGreaterThan(drawn[190]!);
  });
});

describe('requests', () => {
  const share = (kinds: Uint8Array, kind: number): number =>
    kinds.filter((one) => one === kind).length / kinds.length;

  test.each([
    ['a', READ, 0.5, UPDATE],
    ['b', READ, 0.95, UPDATE],
    ['d', READ, 0.95, INSERT],
    ['e', SCAN, 0.95, INSERT],
    ['f', READ, 0.5, MODIFY],
  ] as const)('of workload %s have their mix', (name, first, of, second) => {
    const { kinds } = drawRequests(name, 1_000, 20_000, new Random(1));
    expect(share(kinds, first)).toBeCloseTo(of, 1);
    expect(share(kinds, first) + share(kinds, second)).toBe(1);
  });

  test('of workload c only read', () => {
    expect(new Set(drawRequests('c', 100, 1_000, new Random(1)).kinds)).toEqual(new Set([READ]));
  });

  test('insert the next records and scan 1 to 100 entries', () => {
    const { kinds, records, lengths, recordsAfter } = drawRequests('e', 1_000, 20_000, new Random(1));
    const inserted = records.filter((_, i) => kinds[i] === INSERT);
    expect([...inserted.keys()].map((i) => 1_000 + i)).toEqual([...inserted]);
    expect(recordsAfter).toBe(1_000 + inserted.length);
    const scanned = lengths.filter((_, i) => kinds[i] === SCAN);
    expect([Math.min(...scanned), Math.max(...scanned)]).toEqual([1, 100]);
  });

  test('are the same for the same seed', () => {
    expect(drawRequests('d', 500, 2_000, new Random(9))).toEqual(
      drawRequests('d', 500, 2_000, new Random(9)),
    );
  });
});
