/**
 * An ingestion's record met by recovery: unless the manifest has its tables already, they become part of the version that
 * recovery builds, in each keyspace that is still there. The tables were on disk, with their names, before the record was
 * written.
 *
 * What was written before it lies in no memtable at the keys of the tables: the database had flushed that, durably, before the
 * record took its sequence. Whoever reads beside a database that goes on writing may have read its manifest before that and its
 * log after it; then what was read does not belong together, and is read again.
 */
import { assert } from '../../base/assert.ts';
import { busy, corruption } from '../../base/errors.ts';
import { inDirectory, parseFileName, tableName } from '../../fs/file-names.ts';
import { editsByKeyspace, type IngestionEdit, keyspaceOf } from '../../manifest/ingestion.ts';
import { applyEdit } from '../../manifest/version.ts';
import type { BatchSource } from '../../record/batch.ts';
import type { ReplayEnv } from '../replay-env.ts';
import type { Tree } from '../tree.ts';
import { memtableOverlaps } from './memtable-overlap.ts';

/** @throws VarveError `CORRUPTION` naming the table that is missing; busy `STALE` when read beside a writer */
export function replayIngestion(
  env: ReplayEnv,
  sequence: number,
  edit: IngestionEdit,
  where: BatchSource,
): void {
  const missing = editsByKeyspace(edit).flatMap((each) => missingOf(env, sequence, each, where));
  if (missing.some(({ tree, present }) => isHidden(tree, present))) {
    if (env.readOnly) throw busy('STALE', 'the log goes on behind what the manifest knew', { ...where });
    env.flush();
  }
  for (const { tree, present } of missing) {
    if (present.addedFiles.some(({ file }) => file.expiry !== undefined)) env.state.hasExpiring = true;
    env.changes.push({ sequence, ingestion: present });
    env.version = applyEdit(env.version, present, { ...where });
    const segment = segmentOf(where);
    for (const { file } of present.addedFiles) env.ingested.push({ segment, table: file.number });
    tree.installVersion(env.version.keyspaces.get(tree.id)!);
  }
}

interface Missing {
  readonly tree: Tree;
  readonly present: IngestionEdit;
}

/** What a keyspace does not have yet; nothing when it was dropped since, or when the manifest has it. */
function missingOf(env: ReplayEnv, sequence: number, edit: IngestionEdit, where: BatchSource): Missing[] {
  const id = keyspaceOf(edit);
  const tree = env.state.trees.get(id);
  const before = env.version.keyspaces.get(id);
  if (tree === undefined || before === undefined || sequence <= before.ingestedSequence) return [];
  const addedFiles = edit.addedFiles.filter(({ file }) => isThere(env, file, where));
  return [{ tree, present: { ...edit, addedFiles } }];
}

/** Do memtables of the tree hold something that readers would find before what the ingestion brings? */
export function isHidden(tree: Tree, { addedFiles }: IngestionEdit): boolean {
  const { memtable, immutables } = tree.view;
  const tables = addedFiles.map(({ file }) => file);
  const memtables = memtable === undefined ? immutables : [memtable, ...immutables];
  return memtables.some((each) => memtableOverlaps(each, tables));
}

function segmentOf({ file }: BatchSource): number {
  const parsed = parseFileName(file.slice(file.lastIndexOf('/') + 1));
  assert(parsed?.kind === 'log', 'records are read from the log');
  return parsed.number;
}

/** Is the table there, as long as it was? Salvage goes on without one that is not. */
function isThere(
  env: ReplayEnv,
  { number, bytes }: { readonly number: number; readonly bytes: number },
  where: BatchSource,
): boolean {
  const file = inDirectory(env.state.path, tableName(number));
  const size = env.fs.status(file)?.size;
  if (size === bytes) return true;
  const what = size === undefined ? 'missing' : `${size} bytes long, not ${bytes}`;
  if (env.mode !== 'salvage') {
    throw corruption(`a table that the log names is ${what}: ${file}`, {
      file,
      record: { ...where },
      expected: bytes,
      got: size,
    });
  }
  env.warnings.push(`${file}, which ${where.file}:${where.offset} names, is ${what}`);
  return false;
}
