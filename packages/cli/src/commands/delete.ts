/**
 * `varve delete <db> <key>`: deletes one entry, exit code 1 when there was none.
 */
import type { Command } from 'commander';
import { addKeyspaceOptions } from '../command-options.ts';
import type { KeyspaceChoice } from '../open-database.ts';
import { chooseKeyspace, withDatabase } from '../open-database.ts';
import type { Session } from '../session.ts';
import { NotFoundError, takeArguments } from '../session.ts';

export function addDelete(program: Command, session: Session): void {
  const command = program
    .command('delete')
    .description('delete a key, on disk when the command returns')
    .usage('[options] <db> <key>')
    .argument('[arguments...]', 'database, key');
  addKeyspaceOptions(command).action(async (given: string[], options: KeyspaceChoice) => {
    const { path, values } = takeArguments(session, 'delete', given, ['key']);
    await withDatabase(session, path, 'write', async (database) => {
      const { keyspace, key } = chooseKeyspace(database, options);
      const keyBytes = key.parse(values[0]!);
      if (!keyspace.has(keyBytes)) {
        throw new NotFoundError(`no key ${key.show(keyBytes)} in keyspace '${keyspace.name}'`);
      }
      const sequence = await keyspace.delete(keyBytes, { durability: 'disk' });
      if (session.options.json === true) session.out.json({ sequence });
      else session.out.line(`deleted, sequence ${sequence}`);
    });
  });
}
