/**
 * `db.verify()`: reads every table of the current version (with `full` every block of it, else its metadata) and
 * lists what is wrong instead of stopping at the first problem. Gives the event loop a turn every few blocks.
 */
import { VarveError } from '../base/errors.ts';
import type { VerifyReport } from '../engine/api-types.ts';
import type { Core } from '../engine/core.ts';
import { inDirectory, tableName } from '../fs/file-names.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import { TableReader } from '../sstable/reader.ts';

/** Blocks checked between two turns of the event loop: about half a millisecond of work. */
const BLOCKS_PER_TURN = 32;

export async function verify(core: Core, full: boolean): Promise<VerifyReport> {
  const report: VerifyReport = { files: 0, bytes: 0, entries: 0, problems: [] };
  // A copy: keyspaces may come and go while this waits.
  const trees = [...core.state.trees.values()];
  for (const tree of trees) {
    for (const file of tree.view.version.levels.flat()) {
      core.state.checkOpen();
      // A compaction may have replaced the file since: then its successors are not looked at, and it is not missed.
      if (tree.isDropped || !tree.view.version.levels.some((files) => files.includes(file))) continue;
      await verifyTable(core, file, full, report);
    }
  }
  return report;
}

async function verifyTable(core: Core, file: FileMeta, full: boolean, report: VerifyReport): Promise<void> {
  const path = inDirectory(core.state.path, tableName(file.number));
  report.files++;
  report.bytes += file.bytes;
  report.entries += file.entries;
  let table: TableReader | undefined;
  try {
    table = TableReader.open({
      fs: core.tableFiles,
      path,
      fileNumber: file.number,
      bytes: file.bytes,
      uniqueId: file.uniqueId,
    });
    if (!full) return;
    const steps = table.verify();
    for (let blocks = 1; steps.next().done !== true; blocks++) {
      if (blocks % BLOCKS_PER_TURN === 0) await new Promise<void>((resolve) => core.scheduler.soon(resolve));
    }
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    const { offset } = error.context;
    report.problems.push({
      file: path,
      ...(typeof offset === 'number' ? { offset } : {}),
      code: error.code,
      message: error.message,
    });
  } finally {
    table?.close();
  }
}
