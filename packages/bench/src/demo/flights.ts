/**
 * The data of the demo: flights within the United States in January 2001, from the file `flights-3m.parquet` that
 * ships inside the npm package `vega-datasets` (U.S. Bureau of Transportation Statistics). One run takes its first row
 * group: 272,727 flights of the days from January 1 to 17.
 *
 * A flight's key is (origin, departure, row), so that flights of one airport lie together, in order of time. Departures
 * repeat, hence the row number. The departure is text (`2001-01-01T06:30`, local time): it sorts as time does.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { type Database, json, type Keyspace, tuple } from 'varve';

/** Shorter tuples serve as prefixes: `['ORD']` is every flight from Chicago O'Hare. */
export type FlightKey = [origin: string, departure?: string, row?: number];

export interface Flight {
  destination: string;
  /** Miles. */
  distance: number;
  /** Minutes late at arrival; negative when early. */
  delay: number;
  /** Set by the update pass of the demo. */
  late?: true;
}

export type Flights = Keyspace<FlightKey, Flight>;

/** Rows of the file's first row group. */
export const flightsTotal = 272_727;

/** The first `rows` flights of the file, as entries in the order of the file (by time). */
export async function readFlights(rows: number): Promise<[FlightKey, Flight][]> {
  const require = createRequire(import.meta.url);
  const entry = require.resolve('vega-datasets');
  const path = join(dirname(entry), '..', 'data', 'flights-3m.parquet');
  const file = await asyncBufferFromFile(path);
  const records = await parquetReadObjects({ file, compressors, rowStart: 0, rowEnd: rows });
  return records.map((record, row) => toEntry(record, row));
}

function toEntry(record: Record<string, unknown>, row: number): [FlightKey, Flight] {
  const { origin, destination, date, distance, delay } = record;
  if (!(date instanceof Date) || typeof origin !== 'string' || typeof destination !== 'string') {
    throw new TypeError(`flights-3m.parquet: row ${row} is not a flight; is vega-datasets 3.2.1 installed?`);
  }
  const departure = date.toISOString().slice(0, 'yyyy-mm-ddThh:mm'.length);
  return [[origin, departure, row], { destination, distance: Number(distance), delay: Number(delay) }];
}

/** The keyspace of flights, with tables so small that 20 MB of data make several levels. */
export function flightsOf(db: Database): Flights {
  return db.keyspace('flights', { key: tuple<FlightKey>(), value: json<Flight>(), ...smallTables });
}

const smallTables = {
  memtableBytes: 4 * 2 ** 20,
  tableBytes: 2 ** 20,
  compaction: { strategy: 'leveled', level1Bytes: 4 * 2 ** 20 },
} as const;

/** `HNL  2001-01-01 06:30  to LAX  2,556 miles  12 min late`. */
export function describeFlight([origin, departure]: FlightKey, flight: Flight): string {
  const { destination, distance, delay } = flight;
  const punctuality = delay > 0 ? `${delay} min late` : delay < 0 ? `${-delay} min early` : 'on time';
  return `${origin} to ${destination}  ${departure?.replace('T', ' ')}  ${String(distance).padStart(4)} miles  ${punctuality}`;
}
