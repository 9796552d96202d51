/**
 * What the demo does with the flights, one function per step: load, point reads, scans, the update pass. Each yields to
 * the event loop every 1,000 operations, as a server would that answers other requests meanwhile.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { Database } from 'varve';
import type { Random } from '../random.ts';
import type { Flight, FlightKey, Flights } from './flights.ts';
import { Measure, timed, timedAlone, timedStep } from './measure.ts';

const TURN_EVERY = 1_000;
/** Minutes from which the update pass marks a flight as late. */
export const LATE_MINUTES = 60;

/** Puts every flight by itself, then waits until all of them are on the disk (fsync). */
export async function load(
  db: Database,
  flights: Flights,
  entries: readonly [FlightKey, Flight][],
  onProgress: (done: number) => void,
): Promise<Measure> {
  const measure = new Measure('put');
  await timedStep(measure, async () => {
    for (let i = 0; i < entries.length; i++) {
      const [key, flight] = entries[i]!;
      timed(measure, () => flights.put(key, flight));
      if (i % TURN_EVERY === TURN_EVERY - 1) {
        onProgress(i + 1);
        await turn();
      }
    }
    await db.sync('disk');
  });
  onProgress(entries.length);
  return measure;
}

/** Reads flights at random; throws when one is not what was stored. */
export async function readExisting(
  flights: Flights,
  entries: readonly [FlightKey, Flight][],
  reads: number,
  random: Random,
): Promise<Measure> {
  const measure = new Measure('get');
  await timedStep(measure, async () => {
    for (let i = 0; i < reads; i++) {
      const [key, stored] = entries[random.below(entries.length)]!;
      const read = timed(measure, () => flights.get(key));
      if (read?.destination !== stored.destination || read.delay !== stored.delay) {
        throw new Error(`flight ${key.join(' ')} reads as ${JSON.stringify(read)}`);
      }
      if (i % TURN_EVERY === TURN_EVERY - 1) await turn();
    }
  });
  return measure;
}

/** Asks for flights that do not exist: real airports and times, but rows behind the last. */
export async function readAbsent(
  flights: Flights,
  entries: readonly [FlightKey, Flight][],
  reads: number,
  random: Random,
): Promise<Measure> {
  const measure = new Measure('get, not there');
  await timedStep(measure, async () => {
    for (let i = 0; i < reads; i++) {
      const [[origin, departure]] = entries[random.below(entries.length)]!;
      const key: FlightKey = [origin, departure!, entries.length + i];
      if (timed(measure, () => flights.get(key)) !== undefined) {
        throw new Error(`found a flight that was never stored: ${key.join(' ')}`);
      }
      if (i % TURN_EVERY === TURN_EVERY - 1) await turn();
    }
  });
  return measure;
}

/** Reads all entries in order with a cursor, which lends keys and values instead of copying them. */
export function scan(flights: Flights, reverse: boolean): { measure: Measure; bytes: number } {
  const measure = new Measure(reverse ? 'scan backwards' : 'scan forwards');
  const start = performance.now();
  const cursor = flights.range({ reverse }).cursor();
  let bytes = 0;
  while (cursor.next()) {
    bytes += cursor.key.length + cursor.value.length;
    measure.operations++;
  }
  cursor.close();
  measure.seconds = (performance.now() - start) / 1000;
  return { measure, bytes };
}

/** Marks every flight that was at least an hour late, while reading through all of them. */
export async function markLate(flights: Flights): Promise<Measure> {
  const measure = new Measure('update');
  let seen = 0;
  for (const [key, { delay }] of flights.range()) {
    if (delay >= LATE_MINUTES) {
      timedAlone(measure, () => flights.update(key, (flight) => flight && { ...flight, late: true }));
    }
    if (++seen % TURN_EVERY === 0) await turn();
  }
  return measure;
}

/** How many of `values` carry the mark. */
export function countLate(values: Iterable<Flight>): number {
  let late = 0;
  for (const flight of values) if (flight.late === true) late++;
  return late;
}

/** How many of `reads` flights picked at random are there and are as they should be after the update pass. */
export function countIntact(
  flights: Flights,
  entries: readonly [FlightKey, Flight][],
  reads: number,
  random: Random,
): number {
  let intact = 0;
  for (let i = 0; i < reads; i++) {
    const [key, stored] = entries[random.below(entries.length)]!;
    const read = flights.get(key);
    const marked = stored.delay >= LATE_MINUTES;
    if (
      read?.destination === stored.destination &&
      read.delay === stored.delay &&
      read.distance === stored.distance &&
      (read.late === true) === marked
    ) {
      intact++;
    }
  }
  return intact;
}
