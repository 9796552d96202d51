/**
 * `varve levels <db>`: the tree of each keyspace drawn in the terminal, one bar a level.
 */
import type { Command } from 'commander';
import type { DatabaseStats } from 'varve';
import { withDatabase } from '../open-database.ts';
import { alignColumns, plural, showSize } from '../output.ts';
import type { Session } from '../session.ts';
import { NotFoundError, takeArguments } from '../session.ts';

const BAR_CELLS = 40;
/** Blocks of one to eight eighths. */
const EIGHTHS = ['', '\u258f', '\u258e', '\u258d', '\u258c', '\u258b', '\u258a', '\u2589', '\u2588'];

type KeyspaceStats = DatabaseStats['keyspaces'][string];

export function addLevels(program: Command, session: Session): void {
  program
    .command('levels')
    .description('draw files and bytes by level (opens read-only)')
    .usage('[options] <db>')
    .argument('[arguments...]', 'database')
    .option('-k, --keyspace <name>', 'only this keyspace')
    .action(async (given: string[], options: { keyspace?: string }) => {
      const { path } = takeArguments(session, 'levels', given, []);
      await withDatabase(session, path, 'read', (database) => {
        const { keyspaces } = database.stats();
        const names = Object.keys(keyspaces).sort();
        const wanted =
          options.keyspace === undefined ? names : names.filter((name) => name === options.keyspace);
        if (wanted.length === 0 && options.keyspace !== undefined) {
          throw new NotFoundError(`no keyspace '${options.keyspace}'; there are ${names.join(', ')}`);
        }
        if (session.options.json === true) {
          for (const name of wanted) session.out.json({ keyspace: name, levels: keyspaces[name]!.levels });
          return;
        }
        if (wanted.length === 0) session.out.line('no keyspaces yet');
        wanted.forEach((name, i) => {
          if (i > 0) session.out.line();
          for (const line of levelLines(name, keyspaces[name]!)) session.out.line(line);
        });
      });
    });
}

/** The drawing of one keyspace: memory on top, the deepest level at the bottom. */
export function levelLines(name: string, keyspace: KeyspaceStats): string[] {
  const deepest = keyspace.levels.findLastIndex((level) => level.files > 0);
  const levels = keyspace.levels.slice(0, deepest + 1);
  const { blobs } = keyspace;
  const largest = Math.max(keyspace.memtableBytes, blobs.bytes, ...levels.map((level) => level.bytes));
  const rows = [
    ['memory', bar(keyspace.memtableBytes, largest), '', showSize(keyspace.memtableBytes)],
    ...levels.map((level, i) => [
      `L${i}`,
      bar(level.bytes, largest),
      plural(level.files, 'file'),
      showSize(level.bytes),
    ]),
    ...(blobs.files === 0
      ? []
      : [['blobs', bar(blobs.bytes, largest), plural(blobs.files, 'file'), showSize(blobs.bytes)]]),
  ];
  const title = `${name}: ${plural(keyspace.entries, 'entry', 'entries')}, ${showSize(keyspace.bytes)} in tables`;
  const live = blobs.files === 0 ? '' : `, ${showSize(blobs.liveBytes)} live in blob files`;
  return [title + live, ...alignColumns(rows, [2, 3]).map((line) => `  ${line}`)];
}

/** At least a sliver for what is not empty. */
function bar(bytes: number, largest: number): string {
  if (bytes === 0 || largest === 0) return ' '.repeat(BAR_CELLS);
  const eighths = Math.max(1, Math.round((bytes / largest) * BAR_CELLS * 8));
  const full = Math.floor(eighths / 8);
  return (EIGHTHS[8]!.repeat(full) + EIGHTHS[eighths % 8]!).padEnd(BAR_CELLS);
}
