/**
 * Options that several commands share, added in one place so that they read the same everywhere.
 */
import type { Command } from 'commander';
import { Option } from 'commander';
import type { Bytes, Range } from 'varve';
import type { Format } from './format.ts';
import { formatNames } from './format.ts';
import type { KeyspaceChoice } from './open-database.ts';
import { UsageError, wholeNumber } from './session.ts';

/** --keyspace, --key-format, --value-format. */
export function addKeyspaceOptions(command: Command): Command {
  return command
    .option('-k, --keyspace <name>', 'keyspace', 'default')
    .addOption(new Option('--key-format <format>', 'keys as (default: by codec)').choices(formatNames))
    .addOption(new Option('--value-format <format>', 'values as (default: by codec)').choices(formatNames));
}

/** The bounds of a range, as text. */
export interface RangeChoice extends KeyspaceChoice {
  readonly gte?: string;
  readonly gt?: string;
  readonly lte?: string;
  readonly lt?: string;
  readonly prefix?: string;
  readonly reverse?: boolean;
  readonly limit?: string;
}

/** --gte, --gt, --lte, --lt, --prefix, --reverse, --limit. */
export function addRangeOptions(command: Command): Command {
  return addKeyspaceOptions(command)
    .option('--gte <key>', 'from this key on')
    .option('--gt <key>', 'after this key')
    .option('--lte <key>', 'up to this key')
    .option('--lt <key>', 'before this key')
    .option('--prefix <key>', 'keys that begin so')
    .option('--reverse', 'from the last to the first')
    .option('--limit <n>', 'at most so many entries');
}

/** The range in bytes. */
export function rangeOf(choice: RangeChoice, key: Format): Range<Bytes> {
  if (choice.gte !== undefined && choice.gt !== undefined)
    throw new UsageError('give --gte or --gt, not both');
  if (choice.lte !== undefined && choice.lt !== undefined)
    throw new UsageError('give --lte or --lt, not both');
  const range: Range<Bytes> = {};
  for (const bound of ['gte', 'gt', 'lte', 'lt', 'prefix'] as const) {
    const text = choice[bound];
    if (text !== undefined) range[bound] = key.parse(text);
  }
  if (choice.reverse === true) range.reverse = true;
  if (choice.limit !== undefined) range.limit = wholeNumber('--limit', choice.limit);
  return range;
}
