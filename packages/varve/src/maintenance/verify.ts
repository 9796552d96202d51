/**
 * `db.verify()`: reads every table of the current version (with `full` every block of it, else its metadata) and
 * lists what is wrong instead of stopping at the first problem. One job of the lane `care` for each table.
 */
import type { VerifyReport } from '../engine/api-types.ts';
import type { Core } from '../engine/core.ts';
import {
  type TableProblem,
  type VerifyInput,
  verifyTable as verifyTableJob,
} from '../engine/workers/verify-job.ts';
import { inDirectory, tableName } from '../fs/file-names.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { JobOutcome } from '../workers/job-runner.ts';

export async function verify(core: Core, full: boolean): Promise<VerifyReport> {
  const report: VerifyReport = { files: 0, bytes: 0, entries: 0, problems: [] };
  core.runner.hold();
  try {
    // A copy: keyspaces may come and go while this waits.
    const trees = [...core.state.trees.values()];
    for (const tree of trees) {
      for (const file of tree.view.version.levels.flat()) {
        core.state.checkOpen();
        // A compaction may have replaced the file since: then its successors are not looked at, and it is not missed.
        const isLive = (): boolean =>
          !tree.isDropped && tree.view.version.levels.some((files) => files.includes(file));
        if (isLive()) await verifyTable(core, file, full, isLive, report);
      }
    }
  } finally {
    core.runner.unhold();
  }
  return report;
}

async function verifyTable(
  core: Core,
  file: FileMeta,
  full: boolean,
  isLive: () => boolean,
  report: VerifyReport,
): Promise<void> {
  const path = inDirectory(core.state.path, tableName(file.number));
  const { number: fileNumber, bytes, uniqueId } = file;
  const input: VerifyInput = { path, fileNumber, bytes, uniqueId, full };
  // Reading only, beside a writer that removes files, this thread alone still has them open.
  const isThreaded = core.runner.kind === 'threads' && !core.options.readOnly;
  const problem = isThreaded ? await inThread(core, input) : await inTurns(core, input);
  // Replaced and removed before the job came to it.
  if (problem !== undefined && !isLive()) return;
  report.files++;
  report.bytes += file.bytes;
  report.entries += file.entries;
  if (problem === undefined) return;
  const { offset, code, message } = problem;
  report.problems.push({ file: path, ...(offset === undefined ? {} : { offset }), code, message });
}

async function inThread(core: Core, input: VerifyInput): Promise<TableProblem | undefined> {
  const outcome = await new Promise<JobOutcome>((resolve) =>
    core.runner.start({ lane: 'care', name: 'verify', input }, resolve),
  );
  core.state.checkOpen();
  if (!outcome.ok) throw outcome.error;
  return outcome.output as TableProblem | undefined;
}

/** The job itself, with a turn of the event loop at each of its pauses. */
async function inTurns(core: Core, input: VerifyInput): Promise<TableProblem | undefined> {
  const steps = verifyTableJob(input, { fs: core.tableFiles, cancelled: () => core.state.isClosed });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await new Promise<void>((resolve) => core.scheduler.soon(resolve));
  }
}
