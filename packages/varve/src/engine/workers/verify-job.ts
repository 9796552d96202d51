/**
 * Verifies one table: opens it as the manifest names it, and with `full` reads every block. A job of the lane `care`: it may take
 * long, and nobody's reads or writes wait for it. What it finds is a result, not a failure.
 */
import { VarveError } from '../../base/errors.ts';
import { checkCancelled } from '../../compaction/job.ts';
import { TableReader } from '../../sstable/reader.ts';
import type { JobContext } from '../../workers/job-runner.ts';

/** Plain data. */
export interface VerifyInput {
  readonly path: string;
  readonly fileNumber: number;
  readonly bytes: number;
  readonly uniqueId: Uint8Array;
  readonly full: boolean;
}

export interface TableProblem {
  readonly offset: number | undefined;
  readonly code: string;
  readonly message: string;
}

/** Blocks checked between two pauses: about half a millisecond of work. */
const BLOCKS = 32;

export function* verifyTable(
  input: VerifyInput,
  context: JobContext,
): Generator<void, TableProblem | undefined> {
  const { path, fileNumber, bytes, uniqueId } = input;
  let table: TableReader | undefined;
  try {
    table = TableReader.open({ fs: context.fs, path, fileNumber, bytes, uniqueId });
    if (!input.full) return undefined;
    const steps = table.verify();
    for (let blocks = 1; steps.next().done !== true; blocks++) {
      if (blocks % BLOCKS !== 0) continue;
      yield;
      checkCancelled(context);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof VarveError) || error.kind === 'closed') throw error;
    const { offset } = error.context;
    return {
      offset: typeof offset === 'number' ? offset : undefined,
      code: error.code,
      message: error.message,
    };
  } finally {
    table?.close();
  }
}
