/**
 * `varve count <db>`: the number of entries in a range, counted and not estimated.
 */
import type { Command } from 'commander';
import { addRangeOptions, rangeOf, type RangeChoice } from '../command-options.ts';
import { chooseKeyspace, withDatabase } from '../open-database.ts';
import type { Session } from '../session.ts';
import { takeArguments } from '../session.ts';

export function addCount(program: Command, session: Session): void {
  const command = program
    .command('count')
    .description('count the entries of a range (opens read-only)')
    .usage('[options] <db>')
    .argument('[arguments...]', 'database');
  addRangeOptions(command).action(async (given: string[], options: RangeChoice) => {
    const { path } = takeArguments(session, 'count', given, []);
    await withDatabase(session, path, 'read', (database) => {
      const { keyspace, key } = chooseKeyspace(database, options);
      const count = keyspace.count(rangeOf(options, key));
      if (session.options.json === true) session.out.json({ keyspace: keyspace.name, count });
      else session.out.line(String(count));
    });
  });
}
