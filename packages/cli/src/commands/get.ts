/**
 * `varve get <db> <key>`: prints one value, exit code 1 when there is none.
 *
 * In text format the value's own bytes go out, plus a line end; a terminal gets control characters escaped.
 */
import type { Command } from 'commander';
import { addKeyspaceOptions } from '../command-options.ts';
import type { KeyspaceChoice } from '../open-database.ts';
import { chooseKeyspace, withDatabase } from '../open-database.ts';
import type { Session } from '../session.ts';
import { NotFoundError, takeArguments } from '../session.ts';

export function addGet(program: Command, session: Session): void {
  const command = program
    .command('get')
    .description('print the value of a key (opens read-only)')
    .usage('[options] <db> <key>')
    .argument('[arguments...]', 'database, key');
  addKeyspaceOptions(command).action(async (given: string[], options: KeyspaceChoice) => {
    const { path, values } = takeArguments(session, 'get', given, ['key']);
    await withDatabase(session, path, 'read', async (database) => {
      const { keyspace, key, value } = chooseKeyspace(database, options);
      const keyBytes = key.parse(values[0]!);
      const found = keyspace.get(keyBytes);
      if (found === undefined)
        throw new NotFoundError(`no key ${key.show(keyBytes)} in keyspace '${keyspace.name}'`);
      if (session.options.json === true) {
        session.out.json({ key: key.toJson(keyBytes), value: value.toJson(found) });
      } else if (value.name === 'text' && !session.out.isTerminal) {
        await session.out.bytes(found);
        session.out.line();
      } else session.out.line(value.show(found));
    });
  });
}
