/**
 * The public side of iteration: turns a cursor's bytes into keys and values, for `for` and for `for await`.
 *
 * The sequence is taken when iteration begins, not when the range is made; each iteration takes its own. An iterator left
 * before its end gives its sequence back through `return`. `for await` gives the event loop a turn after ASYNC_ENTRIES or
 * TURN_MS, whatever comes first, and has what it will need read by other threads meanwhile (walk-ahead.ts).
 */
import type { Cursor, RangeView } from './keyspace-types.ts';
import type { RangeCursor, RangeDecode } from './cursor.ts';

const ASYNC_ENTRIES = 256;
const TURN_MS = 1;
/** Entries between two looks at the clock. */
const CLOCK_ENTRIES = 4;

/** What iteration walks with: a cursor, and calls that spare views and that wait for what other threads read (cursor.ts). */
export type WalkedCursor = Cursor &
  Pick<RangeCursor, 'readKey' | 'readValue' | 'tryNext' | 'tryValue' | 'arrival' | 'leave'>;

export interface RangeSource<K, V> {
  open(): WalkedCursor;
  /** To be moved by `tryNext`. */
  openAhead(): WalkedCursor;
  /** Resolves after other tasks of the event loop had their turn. */
  pause(): Promise<void>;
  /** Monotonic milliseconds. */
  now(): number;
  partitions(parts: number): RangeReader<K, V>[];
  readonly decodeKey: RangeDecode<K>;
  readonly decodeValue: RangeDecode<V>;
}

export class RangeReader<K, V> implements RangeView<K, V> {
  readonly #source: RangeSource<K, V>;

  constructor(source: RangeSource<K, V>) {
    this.#source = source;
  }

  [Symbol.iterator](): Iterator<[K, V]> {
    const { decodeKey, decodeValue } = this.#source;
    return walk(this.#source, (cursor) => [cursor.readKey(decodeKey), cursor.readValue(decodeValue)]);
  }

  [Symbol.asyncIterator](): AsyncIterator<[K, V]> {
    const { decodeKey, decodeValue } = this.#source;
    return walkAsync(this.#source, true, (cursor) => [
      cursor.readKey(decodeKey),
      cursor.readValue(decodeValue),
    ]);
  }

  keys(): Iterable<K> & AsyncIterable<K> {
    const { decodeKey } = this.#source;
    return projection(this.#source, false, (cursor) => cursor.readKey(decodeKey));
  }

  values(): Iterable<V> & AsyncIterable<V> {
    const { decodeValue } = this.#source;
    return projection(this.#source, true, (cursor) => cursor.readValue(decodeValue));
  }

  /** As often as there is an entry. */
  walked(): AsyncIterable<undefined> {
    return projection(this.#source, false, () => undefined);
  }

  partitions(parts: number): RangeReader<K, V>[] {
    return this.#source.partitions(parts);
  }

  cursor(): Cursor {
    return this.#source.open();
  }
}

/** Counts by walking, and lets the event loop turn. */
export async function countInTurns<K, V>(range: RangeReader<K, V>): Promise<number> {
  let count = 0;
  for await (const _ of range.walked()) count++;
  return count;
}

function projection<T>(
  source: RangeSource<unknown, unknown>,
  showsValues: boolean,
  show: (cursor: WalkedCursor) => T,
): Iterable<T> & AsyncIterable<T> {
  return {
    [Symbol.iterator]: () => walk(source, show),
    [Symbol.asyncIterator]: () => walkAsync(source, showsValues, show),
  };
}

function* walk<T>(
  source: RangeSource<unknown, unknown>,
  show: (cursor: WalkedCursor) => T,
): Generator<T, void, undefined> {
  const cursor = source.open();
  try {
    while (cursor.next()) yield show(cursor);
  } finally {
    cursor.leave();
  }
}

async function* walkAsync<T>(
  source: RangeSource<unknown, unknown>,
  showsValues: boolean,
  show: (cursor: WalkedCursor) => T,
): AsyncGenerator<T, void, undefined> {
  const cursor = source.openAhead();
  try {
    let started = source.now();
    for (let shown = 1; ; shown++) {
      let moved = cursor.tryNext();
      if (moved === undefined) {
        moved = await moveLater(cursor);
        started = source.now();
      }
      if (!moved) return;
      if (showsValues && !cursor.tryValue()) {
        await valueLater(cursor);
        started = source.now();
      }
      yield show(cursor);
      if (shown % CLOCK_ENTRIES !== 0) continue;
      if (shown % ASYNC_ENTRIES !== 0 && source.now() - started < TURN_MS) continue;
      await source.pause();
      started = source.now();
    }
  } finally {
    cursor.leave();
  }
}

/** Has the value of the entry when it is here. */
async function valueLater(cursor: WalkedCursor): Promise<void> {
  let isHere = false;
  const load = (): void => {
    isHere = cursor.tryValue();
  };
  while (!isHere) await cursor.arrival(load);
}

/** Moves when the blocks that a move needs are here. */
async function moveLater(cursor: WalkedCursor): Promise<boolean> {
  let moved: boolean | undefined;
  const move = (): void => {
    moved = cursor.tryNext();
  };
  while (moved === undefined) await cursor.arrival(move);
  return moved;
}
