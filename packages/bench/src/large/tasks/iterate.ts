/**
 * Walks over neighbouring entries by cursor, at several places: the same entries again and again, so that they are in the
 * cache and the code is compiled. A walk is the opening of the cursor, a seek and the moves.
 */
import type { Cursor } from 'varve';
import { median } from '../../compare/results.ts';
import { KeyBuffer } from '../../keys.ts';
import { Random } from '../../random.ts';
import { counted } from '../../store.ts';
import { type Open, openDatabase } from './database.ts';
import type { Iterated, Sizes } from './results.ts';

const ENTRIES = 10_000;
const PLACES = 9;
const WARM_WALKS = 10;
const WALKS = 31;

type Walk = (cursor: Cursor, entries: number) => number;

export async function iterate(path: string, sizes: Sizes): Promise<Iterated> {
  const open = await openDatabase(path, sizes);
  const entries = Math.min(ENTRIES, sizes.num);
  const random = new Random(sizes.seed);
  const lookedAtNs: number[] = [];
  const movedNs: number[] = [];
  for (let place = 0; place < PLACES; place++) {
    const key = new KeyBuffer(sizes.keySize);
    key.set(random.below(sizes.num - entries + 1));
    // One after the other in every round, so that both meet the same noise.
    const looked: number[] = [];
    const moved: number[] = [];
    for (let i = 0; i < WARM_WALKS + WALKS; i++) {
      const times = [
        timeOf(open, key.bytes, entries, lookAt),
        timeOf(open, key.bytes, entries, move),
      ] as const;
      if (i < WARM_WALKS) continue;
      looked.push(times[0]);
      moved.push(times[1]);
    }
    lookedAtNs.push(median(looked.toSorted((a, b) => a - b)));
    movedNs.push(median(moved.toSorted((a, b) => a - b)));
  }
  await open.db.close();
  return { entries, lookedAtNs, movedNs };
}

function timeOf({ keyspace }: Open, from: Uint8Array, entries: number, walk: Walk): number {
  const start = performance.now();
  const cursor = keyspace.range().cursor();
  const seen = cursor.seek(from) ? walk(cursor, entries) : 0;
  cursor.close();
  const ns = (performance.now() - start) * 1e6;
  if (seen !== entries) throw new Error(`a walk met ${seen} entries instead of ${entries}`);
  return ns;
}

function lookAt(cursor: Cursor, entries: number): number {
  let seen = 0;
  let bytes = 0;
  do {
    bytes += cursor.key.length + cursor.value.length;
    seen++;
  } while (seen < entries && cursor.next());
  return counted(seen, bytes);
}

function move(cursor: Cursor, entries: number): number {
  let seen = 1;
  while (seen < entries && cursor.next()) seen++;
  return seen;
}
