/**
 * `varve stats <db>`: the figures of a database; with --json exactly what `db.stats()` returns.
 */
import type { Command } from 'commander';
import type { DatabaseStats, OpenReport } from 'varve';
import { withDatabase } from '../open-database.ts';
import { alignColumns, plural, showCount, showSize } from '../output.ts';
import type { Session } from '../session.ts';
import { takeArguments } from '../session.ts';

export function addStats(program: Command, session: Session): void {
  program
    .command('stats')
    .description('print the figures of a database (opens read-only)')
    .usage('[options] <db>')
    .argument('[arguments...]', 'database')
    .action(async (given: string[]) => {
      const { path } = takeArguments(session, 'stats', given, []);
      await withDatabase(session, path, 'read', (database) => {
        const stats = database.stats();
        if (session.options.json === true) session.out.json(stats);
        else for (const line of statsLines(database.path, stats, database.recovered)) session.out.line(line);
      });
    });
}

/** The figures for people. */
export function statsLines(path: string, stats: DatabaseStats, recovered: OpenReport): string[] {
  const { memoryBytes } = stats;
  const lines = [
    ...alignColumns([
      ['database', path],
      ['sequence', showCount(stats.sequence)],
      ['incarnation', showCount(stats.incarnation)],
      [
        'log',
        `${plural(recovered.batches, 'record')}, ${showSize(recovered.bytes)} in ${plural(recovered.segments, 'segment')}, read at open`,
      ],
      [
        'memory',
        `memtables ${showSize(memoryBytes.memtables)}, cache ${showSize(memoryBytes.cache)}, indexes ${showSize(memoryBytes.indexes)}`,
      ],
    ]),
    '',
  ];
  const names = Object.keys(stats.keyspaces).sort();
  if (names.length === 0) return [...lines, 'no keyspaces yet'];
  const rows = names.map((name) => {
    const keyspace = stats.keyspaces[name]!;
    const files = keyspace.levels.reduce((sum, level) => sum + level.files, 0);
    return [
      name,
      showCount(keyspace.entries),
      showSize(keyspace.bytes),
      showSize(keyspace.memtableBytes),
      showCount(files),
      keyspace.levels.map((level) => level.files).join(' '),
    ];
  });
  const header = ['keyspace', 'entries', 'in tables', 'in memory', 'files', 'by level'];
  return [...lines, ...alignColumns([header, ...rows], [1, 2, 3, 4])];
}
