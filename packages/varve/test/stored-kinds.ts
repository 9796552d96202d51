/**
 * What the tables of a database hold: for tests that look at what flush and compaction have written.
 */
import { join } from 'node:path';
import { tableName } from '../src/fs/file-names.ts';
import { type Database, dumpFile } from '../src/index.ts';

/** By key the kinds of its entries in the tables that are current, newest first, with the operands of merges. */
export function storedKinds(db: Database): Record<string, string[]> {
  const kinds: Record<string, string[]> = {};
  for (const { levels } of Object.values(db.levels().keyspaces)) {
    for (const { number } of levels.flatMap(({ tables }) => tables)) {
      for (const { kind, detail } of dumpFile(join(db.path, tableName(number)))) {
        const { key, operands } = detail as { key?: string; operands?: string[] };
        if (key === undefined) continue;
        (kinds[key] ??= []).push(operands === undefined ? kind : `${kind} ${operands.join('+')}`);
      }
    }
  }
  return kinds;
}
