/**
 * `varve scan <db>`: prints the entries of a range in key order, or in reverse.
 *
 * For people one line an entry, key and value with a tab between, control characters escaped; with --json one object a line.
 */
import type { Command } from 'commander';
import { addRangeOptions, rangeOf, type RangeChoice } from '../command-options.ts';
import { chooseKeyspace, withDatabase } from '../open-database.ts';
import type { Session } from '../session.ts';
import { takeArguments, UsageError } from '../session.ts';

interface Options extends RangeChoice {
  readonly keys?: boolean;
  readonly values?: boolean;
}

export function addScan(program: Command, session: Session): void {
  const command = program
    .command('scan')
    .description('print the entries of a range (opens read-only)')
    .usage('[options] <db>')
    .argument('[arguments...]', 'database')
    .option('--keys', 'keys only')
    .option('--values', 'values only');
  addRangeOptions(command).action(async (given: string[], options: Options) => {
    const { path } = takeArguments(session, 'scan', given, []);
    if (options.keys === true && options.values === true)
      throw new UsageError('give --keys or --values, not both');
    await withDatabase(session, path, 'read', async (database) => {
      const { keyspace, key, value } = chooseKeyspace(database, options);
      const { out } = session;
      const cursor = keyspace.range(rangeOf(options, key)).cursor();
      try {
        while (cursor.next()) {
          if (session.options.json === true) {
            out.json({
              ...(options.values === true ? {} : { key: key.toJson(cursor.key) }),
              ...(options.keys === true ? {} : { value: value.toJson(cursor.value) }),
            });
          } else if (options.keys === true) out.line(key.show(cursor.key));
          else if (options.values === true) out.line(value.show(cursor.value));
          else out.line(`${key.show(cursor.key)}\t${value.show(cursor.value)}`);
          if (out.isFull) await out.settle();
        }
      } finally {
        cursor.close();
      }
    });
  });
}
