/**
 * `varve levels <db>`: the tree of each keyspace drawn in the terminal. While a program has the database open it tells what
 * runs and why (levels-source.ts), with --watch again and again until it goes away or somebody presses Ctrl-C.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { Frames } from '../frames.ts';
import { levelsLines } from '../levels-drawing.ts';
import { askOwner, readFiles, type Seen, type Untold } from '../levels-source.ts';
import { NotFoundError, type Session, takeArguments, wholeNumber } from '../session.ts';

const INTERVAL_MS_MIN = 50;

interface Options {
  readonly keyspace?: string;
  readonly watch?: boolean;
  readonly interval: string;
  readonly timeout: string;
}

export function addLevels(program: Command, session: Session): void {
  program
    .command('levels')
    .description('draw levels, running compactions and why (asks who has it open, else opens read-only)')
    .usage('[options] <db>')
    .argument('[arguments...]', 'database')
    .option('-k, --keyspace <name>', 'only this keyspace')
    .option('-w, --watch', 'draw again and again while a program has it open')
    .option('--interval <ms>', 'how often', '1000')
    .option('--timeout <ms>', 'how long that program may take to answer', '1000')
    .action(async (given: string[], options: Options) => {
      const { path } = takeArguments(session, 'levels', given, []);
      const timeoutMs = wholeNumber('--timeout', options.timeout, 1);
      const intervalMs = wholeNumber('--interval', options.interval, INTERVAL_MS_MIN);
      if (options.watch === true) await watch(session, path, options.keyspace, timeoutMs, intervalMs);
      else await picture(session, path, options.keyspace, await askOwner(path, timeoutMs));
    });
}

/** One picture: what the owner tells, else what the files say. */
async function picture(
  session: Session,
  path: string,
  keyspace: string | undefined,
  told: Seen | Untold | undefined,
): Promise<void> {
  if (told !== undefined && 'notice' in told) say(session, `${told.notice}; this is what its files say`);
  const seen = told === undefined || 'notice' in told ? await readFiles(session, path) : told;
  if (session.options.json === true) print(session, seen, keyspace);
  else for (const line of levelsLines(seen, chosen(seen, keyspace))) session.out.line(line);
}

async function watch(
  session: Session,
  path: string,
  keyspace: string | undefined,
  timeoutMs: number,
  intervalMs: number,
): Promise<void> {
  const stop = new AbortController();
  const interrupted = (): void => stop.abort();
  process.once('SIGINT', interrupted);
  const frames = new Frames(session.out);
  let last: Seen | undefined;
  try {
    while (!stop.signal.aborted) {
      const told = await askOwner(path, timeoutMs);
      if (told === undefined) {
        if (last === undefined) await picture(session, path, keyspace, told);
        const who = last === undefined ? 'nobody has it open' : `process ${last.pid} has closed it`;
        say(session, `${who}: nothing to watch`);
        return;
      }
      if (!('notice' in told)) {
        last = told;
        if (session.options.json === true) print(session, told, keyspace);
        else await frames.draw(levelsLines(told, chosen(told, keyspace)));
        await session.out.settle();
      } else if (!told.isPassing) return await picture(session, path, keyspace, told);
      else if (session.options.json === true) say(session, told.notice);
      else
        await frames.draw([
          told.notice,
          ...(last === undefined || !session.out.isTerminal
            ? []
            : ['', ...levelsLines(last, chosen(last, keyspace))]),
        ]);
      await delay(intervalMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  } finally {
    process.removeListener('SIGINT', interrupted);
  }
}

/** The keyspaces to show. @throws NotFoundError for one that is not there */
function chosen({ report, path }: Seen, keyspace: string | undefined): string[] {
  const names = Object.keys(report.keyspaces).sort();
  if (keyspace === undefined) return names;
  if (names.includes(keyspace)) return [keyspace];
  const known = names.length === 0 ? 'it has none yet' : `it has ${names.join(', ')}`;
  throw new NotFoundError(`no keyspace '${keyspace}' in ${path}; ${known}`);
}

/** For programs: a line for each keyspace. */
function print(session: Session, seen: Seen, keyspace: string | undefined): void {
  const { report, path, pid } = seen;
  for (const name of chosen(seen, keyspace)) {
    session.out.json({
      keyspace: name,
      path,
      source: pid === undefined ? 'files' : 'process',
      ...(pid !== undefined && { pid }),
      time: report.time,
      ...report.keyspaces[name]!,
      running: report.running.filter((each) => each.keyspace === name),
      decisions: report.decisions.filter((each) => each.keyspace === name),
      isPaused: report.isPaused,
      bytesPerSecond: report.bytesPerSecond,
    });
  }
}

function say(session: Session, message: string): void {
  session.streams.stderr.write(`varve: ${message}\n`);
}
