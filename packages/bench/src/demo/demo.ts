/**
 * The story the demo tells, step by step; each step prints what it does and what came of it.
 * The steps themselves are in queries.ts and crash.ts, the figures at the end in report.ts.
 */
import { styleText } from 'node:util';
import { open } from 'varve';
import { formatBytes, formatCount, formatNanoseconds, formatRate, showPath } from '../format.ts';
import { claimDirectory, removeDatabase } from '../own-directory.ts';
import { Random } from '../random.ts';
import { crashWriter } from './crash.ts';
import {
  describeFlight,
  type Flight,
  type FlightKey,
  flightsOf,
  flightsTotal,
  readFlights,
} from './flights.ts';
import type { Measure } from './measure.ts';
import { startProgress } from './progress.ts';
import * as queries from './queries.ts';
import { drawLevels, formatMeasures, formatSpace } from './report.ts';
import { auditTickets, BATCH_TICKETS, ticketsOf } from './tickets.ts';

const OWNER = 'demo';
const READS = 100_000;
const CONFIRMED_BATCHES = 500;
const CHECKED_FLIGHTS = 10_000;
const SEED = 2001;

type Entries = readonly [FlightKey, Flight][];

/** Runs the demo in the directory `path`; false when the crash lost something. */
export async function runDemo(path: string): Promise<boolean> {
  const start = performance.now();
  const shown = showPath(path);
  const earlier = claimDirectory(path, OWNER);
  say(heading('Varve: an ordered key-value database in TypeScript, inside this process'));
  if (earlier) say(`Found the data of an earlier run in ${shown}; starting anew.`);
  if (earlier) await removeDatabase(path, OWNER);

  const entries = await readFlights(flightsTotal);
  const measures = await query(path, entries, shown);
  const intact = await crash(path, entries);
  await report(path, measures, shown);
  say('', `Done in ${((performance.now() - start) / 1000).toFixed(1)} s.`);
  return intact;
}

/** Steps 1 to 5, on a database that is open until their end. */
async function query(path: string, entries: Entries, shown: string): Promise<Measure[]> {
  const db = await open(path);
  const flights = flightsOf(db);
  const random = new Random(SEED);

  step(
    1,
    'Store',
    `${formatCount(entries.length)} US flights of January 2001 in ${shown}, each under (origin, departure, row)`,
  );
  const progress = startProgress(entries.length, 'flights');
  const puts = await queries.load(db, flights, entries, progress.update);
  progress.stop();
  say(
    `  ${formatCount(puts.operations)} single puts, all safe on the disk after ${puts.seconds.toFixed(1)} s: ${formatRate(puts.perSecond)}`,
  );

  step(2, 'Look up', 'single flights, at random');
  const gets = await queries.readExisting(flights, entries, READS, random);
  const absent = await queries.readAbsent(flights, entries, READS, random);
  say(`  there:      ${formatRate(gets.perSecond)}, every answer checked`);
  say(`  not there:  ${formatRate(absent.perSecond)}; a filter says no before a file is read`);

  step(3, 'Walk', 'ranges, in order and backwards');
  const day: { gte: FlightKey; lt: FlightKey } = { gte: ['HNL', '2001-01-17'], lt: ['HNL', '2001-01-18'] };
  say('  the first and the last two departures from Honolulu on January 17:');
  for (const [key, flight] of flights.range({ ...day, limit: 2 })) say(`    ${describeFlight(key, flight)}`);
  say('    ...');
  const last = [...flights.range({ ...day, reverse: true, limit: 2 })].toReversed();
  for (const [key, flight] of last) say(`    ${describeFlight(key, flight)}`);
  const forwards = queries.scan(flights, false).measure;
  const backwards = queries.scan(flights, true).measure;
  say(
    `  all flights forwards ${formatRate(forwards.perSecond)}, backwards ${formatRate(backwards.perSecond)}`,
  );

  step(4, 'Count', 'by prefix');
  const countStart = performance.now();
  const fromChicago = flights.count({ prefix: ['ORD'] });
  const countNs = (performance.now() - countStart) * 1e6;
  say(
    `  ${formatCount(fromChicago)} flights left Chicago O'Hare (ORD), counted in ${formatNanoseconds(countNs)}`,
  );

  step(5, 'Update', `mark flights that were ${queries.LATE_MINUTES} minutes late or more`);
  const before = db.snapshot();
  const updates = await queries.markLate(flights);
  const lateNow = queries.countLate(flights.range().values());
  const lateBefore = queries.countLate(before.range(flights).values());
  before.close();
  say(`  ${formatCount(updates.operations)} flights updated, in one walk through all of them`);
  say(`  marked now: ${formatCount(lateNow)}; in a snapshot taken before: ${formatCount(lateBefore)}`);
  await db.close();
  return [puts, gets, absent, updates, forwards, backwards];
}

/** Step 6. Returns whether everything that was promised is there. */
async function crash(path: string, entries: Entries): Promise<boolean> {
  step(6, 'Crash', 'another process writes batches of tickets and is killed in the middle (SIGKILL)');
  const confirmed = await crashWriter(path, CONFIRMED_BATCHES);
  say(`  killed after ${formatCount(confirmed)} batches of ${BATCH_TICKETS} were confirmed to survive this`);

  const db = await open(path);
  const { batches, bytes, cutBytes, ms } = db.recovered;
  say(
    `  opened again in ${ms.toFixed(0)} ms: ${formatCount(batches)} batches (${formatBytes(bytes)}) read back from the log` +
      (cutBytes > 0 ? `, ${formatBytes(cutBytes)} of an unfinished one cut off` : ''),
  );
  const audit = auditTickets(ticketsOf(db).range().keys());
  const flights = flightsOf(db);
  const count = flights.count();
  const intactFlights = queries.countIntact(flights, entries, CHECKED_FLIGHTS, new Random(SEED + 1));
  await db.close();

  const more = audit.whole - confirmed;
  const intactTickets = more >= 0 && audit.partial === 0 && audit.missing === 0;
  say(
    `  ${mark(intactTickets)} confirmed batches found: ${formatCount(Math.min(audit.whole, confirmed))} of ${formatCount(confirmed)}` +
      `; half batches: ${audit.partial}; gaps: ${audit.missing}` +
      (more > 0 ? `; arrived but not yet confirmed: ${more}` : ''),
  );
  const intact = count === entries.length && intactFlights === CHECKED_FLIGHTS;
  say(
    `  ${mark(intact)} flights found: ${formatCount(count)} of ${formatCount(entries.length)};` +
      ` compared with the source: ${formatCount(intactFlights)} of ${formatCount(CHECKED_FLIGHTS)} right`,
  );
  return intactTickets && intact;
}

async function report(path: string, measures: readonly Measure[], shown: string): Promise<void> {
  const db = await open(path);
  const flights = flightsOf(db);
  const tickets = ticketsOf(db);
  await db.flush();
  const { keyspaces, log } = db.stats();
  let dataBytes = 0;
  for (const cursor of [flights.range().cursor(), tickets.range().cursor()]) {
    while (cursor.next()) dataBytes += cursor.key.length + cursor.value.length;
    cursor.close();
  }
  await db.close();

  const levels = keyspaces.flights?.levels ?? [];
  const tableBytes = Object.values(keyspaces)
    .flatMap((keyspace) => keyspace.levels)
    .reduce((sum, level) => sum + level.bytes, 0);
  say('', heading('Speed, on one thread, with JSON values'), ...indent(formatMeasures(measures)));
  say('', heading('Files of the flights'), ...indent(drawLevels(levels)));
  say('  New data enters at the top and is merged downwards in the background, as sediment settles.');
  say(
    '  (Tables are kept small here, so that this little data makes layers; levels between fill as data grows.)',
  );
  say('', heading('Space'), ...indent(formatSpace(dataBytes, tableBytes, log.bytes)));
  say(
    '',
    heading('Next'),
    `  npx varve levels ${shown}`.padEnd(52) + 'look into what was just written',
    '  npm run bench -- fillrandom,readrandom,readseq'.padEnd(52) + 'measure this machine',
    '  docs/guides/getting-started.md'.padEnd(52) + 'use it in your own program',
  );
}

function step(number: number, title: string, text: string): void {
  say('', `${heading(`${number} ${title}`)}  ${text}`);
}

function say(...lines: string[]): void {
  for (const line of lines) console.log(line);
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

const isColoured = process.stdout.isTTY && process.env.NO_COLOR === undefined;

function heading(text: string): string {
  return isColoured ? styleText('bold', text) : text;
}

function mark(isGood: boolean): string {
  const text = isGood ? 'ok  ' : 'LOST';
  return isColoured ? styleText(isGood ? 'green' : 'red', text) : text;
}
