/**
 * `db.verify()`: reads every table and blob file of the current version (with `full` every block and every value that a table
 * refers to, else their metadata) and lists what is wrong instead of stopping at the first problem. One job of the lane `care`
 * for each file.
 */
import type { VerifyReport } from '../engine/api-types.ts';
import type { Core } from '../engine/core.ts';
import {
  type TableProblem,
  type VerifyBlobInput,
  type VerifyInput,
  verifyBlob,
  verifyTable,
} from '../engine/workers/verify-job.ts';
import { blobName, inDirectory, tableName } from '../fs/file-names.ts';
import type { BlobMeta } from '../manifest/blob-meta.ts';
import type { FileMeta } from '../manifest/file-meta.ts';
import type { KeyspaceVersion } from '../manifest/version.ts';
import type { JobContext, JobOutcome } from '../workers/job-runner.ts';

export async function verify(core: Core, full: boolean): Promise<VerifyReport> {
  const report: VerifyReport = { files: 0, bytes: 0, entries: 0, problems: [] };
  core.runner.hold();
  try {
    // A copy: keyspaces may come and go while this waits.
    const trees = [...core.state.trees.values()];
    for (const tree of trees) {
      const { version } = tree.view;
      for (const file of version.levels.flat()) {
        core.state.checkOpen();
        // A compaction may have replaced the file since: then its successors are not looked at, and it is not missed.
        const isLive = (): boolean =>
          !tree.isDropped && tree.view.version.levels.some((files) => files.includes(file));
        if (isLive()) await checkTable(core, version, file, full, isLive, report);
      }
      for (const blob of version.blobs.values()) {
        core.state.checkOpen();
        const isLive = (): boolean => !tree.isDropped && tree.view.version.blobs.has(blob.number);
        if (isLive()) await checkBlob(core, blob, isLive, report);
      }
    }
  } finally {
    core.runner.unhold();
  }
  return report;
}

async function checkTable(
  core: Core,
  version: KeyspaceVersion,
  file: FileMeta,
  full: boolean,
  isLive: () => boolean,
  report: VerifyReport,
): Promise<void> {
  const { number: fileNumber, bytes, uniqueId } = file;
  const pathOf = (name: string): string => inDirectory(core.state.path, name);
  const blobs = (file.blobs ?? []).flatMap(({ number }) => {
    const blob = version.blobs.get(number);
    return blob === undefined ? [] : [{ blob, path: pathOf(blobName(number)) }];
  });
  const input: VerifyInput = {
    path: pathOf(tableName(fileNumber)),
    fileNumber,
    bytes,
    uniqueId,
    full,
    blobs,
  };
  const problems = await run(core, 'verify', input, (context) => verifyTable(input, context));
  // Replaced and removed before the job came to it.
  if (problems.length > 0 && !isLive()) return;
  report.entries += file.entries;
  add(report, bytes, problems);
}

async function checkBlob(
  core: Core,
  blob: BlobMeta,
  isLive: () => boolean,
  report: VerifyReport,
): Promise<void> {
  const input: VerifyBlobInput = { path: inDirectory(core.state.path, blobName(blob.number)), blob };
  const problems = await run(core, 'verify-blob', input, (context) => verifyBlob(input, context));
  if (problems.length > 0 && !isLive()) return;
  add(report, blob.bytes, problems);
}

function add(report: VerifyReport, bytes: number, problems: readonly TableProblem[]): void {
  report.files++;
  report.bytes += bytes;
  for (const { file, offset, code, message } of problems)
    report.problems.push({ file, ...(offset === undefined ? {} : { offset }), code, message });
}

type Steps = Generator<void, TableProblem[]>;

/** In a worker thread where there are some. */
async function run(
  core: Core,
  name: string,
  input: unknown,
  job: (context: JobContext) => Steps,
): Promise<readonly TableProblem[]> {
  // Reading only, beside a writer that removes files, this thread alone still has them open.
  const isThreaded = core.runner.kind === 'threads' && !core.options.readOnly;
  return isThreaded ? await inThread(core, name, input) : await inTurns(core, job);
}

async function inThread(core: Core, name: string, input: unknown): Promise<readonly TableProblem[]> {
  const outcome = await new Promise<JobOutcome>((resolve) =>
    core.runner.start({ lane: 'care', name, input }, resolve),
  );
  core.state.checkOpen();
  if (!outcome.ok) throw outcome.error;
  return outcome.output as readonly TableProblem[];
}

/** The job itself, with a turn of the event loop at each of its pauses. */
async function inTurns(core: Core, job: (context: JobContext) => Steps): Promise<readonly TableProblem[]> {
  const steps = job({ fs: core.tableFiles, cancelled: () => core.state.isClosed });
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await new Promise<void>((resolve) => core.scheduler.soon(resolve));
  }
}
