/**
 * The job table: every kind of background work by name. The same table serves the job threads and the slice runner.
 */
import { compactionJob } from '../../compaction/compaction-job.ts';
import { flushJob } from '../../compaction/flush-job.ts';
import { ingestJob } from '../../compaction/ingest-job.ts';
import { liveSampleJob } from '../../compaction/live-sample-job.ts';
import { readPieces, readTail } from '../../sstable/read-pieces.ts';
import type { JobTable } from '../../workers/job-runner.ts';
import { countEntries } from './count-job.ts';
import { verifyBlob, verifyTable } from './verify-job.ts';
import { installEdits, remember, removeFiles, syncLog } from './io-jobs.ts';

export const jobs: JobTable = {
  'sync-log': syncLog,
  install: installEdits,
  remove: removeFiles,
  remember,
  flush: flushJob,
  compaction: compactionJob,
  ingest: ingestJob,
  'sample-live': liveSampleJob,
  count: countEntries,
  verify: verifyTable,
  'verify-blob': verifyBlob,
  'read-pieces': readPieces,
  'read-tail': readTail,
};
