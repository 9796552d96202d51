/** A child process of `transactions`: measures one store, sends the rates, and ends. Its argument is the job. */
import { type Job, measure } from './work.ts';

const rates = await measure(JSON.parse(process.argv[2]!) as Job);
process.send?.(rates, () => process.disconnect());
