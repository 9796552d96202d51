/**
 * `varve put <db> <key> <value>`: stores one entry, on disk when the command returns.
 */
import type { Command } from 'commander';
import { Option } from 'commander';
import type { Durability } from 'varve';
import { addKeyspaceOptions } from '../command-options.ts';
import type { KeyspaceChoice } from '../open-database.ts';
import { chooseKeyspace, withDatabase } from '../open-database.ts';
import { readAll } from '../read-input.ts';
import type { Session } from '../session.ts';
import { takeArguments } from '../session.ts';

interface Options extends KeyspaceChoice {
  readonly durability: Durability;
}

export function addPut(program: Command, session: Session): void {
  const command = program
    .command('put')
    .description('store a value under a key; creates database and keyspace when there are none')
    .usage('[options] <db> <key> <value>')
    .argument('[arguments...]', "database, key, value; the value '-' is read from stdin")
    .addOption(
      new Option('--durability <class>', 'when it counts as stored')
        .choices(['memory', 'os', 'disk'])
        .default('disk'),
    );
  addKeyspaceOptions(command).action(async (given: string[], options: Options) => {
    const { path, values } = takeArguments(session, 'put', given, ['key', 'value']);
    const [keyText, valueText] = values as [string, string];
    await withDatabase(session, path, 'create', async (database) => {
      const { keyspace, key, value } = chooseKeyspace(database, options, true);
      const keyBytes = key.parse(keyText);
      let valueBytes: Uint8Array;
      if (valueText !== '-') valueBytes = value.parse(valueText);
      else {
        const input = await readAll(session.streams.stdin);
        valueBytes = value.name === 'text' ? input : value.parse(new TextDecoder().decode(input).trim());
      }
      const sequence = await keyspace.put(keyBytes, valueBytes, { durability: options.durability });
      const { durability } = options;
      if (session.options.json === true) session.out.json({ sequence, durability });
      else session.out.line(`stored, sequence ${sequence}, durability ${durability}`);
    });
  });
}
