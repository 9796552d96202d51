/** Runs a job of a Node engine in a child process of its own; never rejects: what goes wrong is an outcome. */
import { askChild } from '../child-process.ts';
import type { Job, Outcome } from './job.ts';

/** `path` is an empty directory for the database. The child dies with `signal`. */
export async function runChild(job: Job, path: string, signal?: AbortSignal): Promise<Outcome> {
  try {
    return (await askChild('child', import.meta.url, [JSON.stringify(job), path], { signal })) as Outcome;
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}
