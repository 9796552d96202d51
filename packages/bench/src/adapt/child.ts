/** A child process of `adapt`: runs all phases in one mode, sends what was measured, and ends. Its argument is the job. */
import { type Job, runPhases } from './phases.ts';

const result = await runPhases(JSON.parse(process.argv[2]!) as Job);
process.send?.(result, () => process.disconnect());
