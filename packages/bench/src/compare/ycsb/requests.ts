/**
 * The core workloads of YCSB as lists of requests, drawn before the clock runs, so that every engine answers the same
 * requests and nobody's figure holds the drawing.
 *
 *   A  50 % read, 50 % update             zipfian      D  95 % read, 5 % insert               latest
 *   B  95 % read, 5 % update              zipfian      E  95 % scan of 1..100, 5 % insert     zipfian
 *   C  100 % read                         zipfian      F  50 % read, 50 % read-modify-write   zipfian
 *
 * Zipfian is scrambled. An update writes the whole record.
 */
import { Latest, ScrambledZipfian } from './zipfian.ts';
import type { Random } from '../../random.ts';

export const READ = 0;
export const UPDATE = 1;
export const INSERT = 2;
export const SCAN = 3;
export const MODIFY = 4;
const SCAN_MAX = 100;

interface Mix {
  /** The request that is made in `share` of the cases. */
  readonly first: number;
  readonly share: number;
  readonly second: number;
  readonly latest: boolean;
}

export type MixName = 'a' | 'b' | 'c' | 'd' | 'e' | 'f';

export const mixes: Readonly<Record<MixName, Mix>> = {
  a: { first: READ, share: 0.5, second: UPDATE, latest: false },
  b: { first: READ, share: 0.95, second: UPDATE, latest: false },
  c: { first: READ, share: 1, second: READ, latest: false },
  d: { first: READ, share: 0.95, second: INSERT, latest: true },
  e: { first: SCAN, share: 0.95, second: INSERT, latest: false },
  f: { first: READ, share: 0.5, second: MODIFY, latest: false },
};

export interface Requests {
  readonly count: number;
  readonly kinds: Uint8Array;
  /** Record numbers; an insert has the next one. */
  readonly records: Uint32Array;
  /** Entries to scan. */
  readonly lengths: Uint8Array;
  /** Records there are when all is done. */
  readonly recordsAfter: number;
}

/** Draws `count` requests on a database of `records` records. */
export function drawRequests(name: MixName, records: number, count: number, random: Random): Requests {
  const { first, share, second, latest } = mixes[name];
  const newest = latest ? new Latest(records, random) : undefined;
  const chooser = newest ?? new ScrambledZipfian(records, random);
  const kinds = new Uint8Array(count);
  const numbers = new Uint32Array(count);
  const lengths = new Uint8Array(count);
  let recordsAfter = records;
  for (let i = 0; i < count; i++) {
    const kind = random.u32() < share * 2 ** 32 ? first : second;
    kinds[i] = kind;
    if (kind === INSERT) {
      numbers[i] = recordsAfter++;
      newest?.insert();
    } else {
      numbers[i] = chooser.next();
    }
    if (kind === SCAN) lengths[i] = 1 + random.below(SCAN_MAX);
  }
  return { count, kinds, records: numbers, lengths, recordsAfter };
}
