/** A child process of `blobs`: measures one size of values in one mode, sends the result, and ends. Its argument is the job. */
import { type Job, measure } from './study.ts';

const result = await measure(JSON.parse(process.argv[2]!) as Job);
process.send?.(result, () => process.disconnect());
