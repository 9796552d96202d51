/**
 * Entry of a job thread. Brings the job table, the node file system and the libraries that start asynchronously.
 */
import { nodeFileSystem } from '../../fs/node-fs.ts';
import { ready } from '../../sstable/checksum.ts';
import { serveJobs } from '../../workers/serve-jobs.ts';
import { jobs } from './jobs.ts';

serveJobs(jobs, nodeFileSystem, ready());
