/**
 * Does a thread of this process still run? Asked by who waits for something that another thread holds, in the middle of a
 * synchronous call: so no event of that thread's port or `Worker` would arrive.
 *
 * On Linux the system lists the threads of a process under their numbers; number and start time together name one thread for
 * good. Elsewhere nothing is known (`undefined`), and only a thread that ends in an orderly way gives up what it holds.
 */
import { existsSync, readFileSync } from 'node:fs';
import { threadNumber } from '../../runtime/thread-number.ts';

/** A thread as the system names it. */
export interface Task {
  readonly number: number;
  /** In ticks since the machine started. */
  readonly started: number;
}

/** The 22nd field of the line, counted behind the name, which may hold spaces. */
const STARTED_FIELD = 19;

/** The calling thread; undefined where the system does not tell. */
export function currentTask(): Task | undefined {
  try {
    const number = threadNumber();
    const started = startedAt(number);
    return started === undefined ? undefined : { number, started };
  } catch {
    return undefined;
  }
}

/** False once the thread has ended. `isThorough` also notices that another thread has its number now. */
export function isRunning(task: Task, isThorough: boolean): boolean {
  if (!isThorough) return existsSync(`/proc/self/task/${task.number}`);
  return startedAt(task.number) === task.started;
}

function startedAt(number: number): number | undefined {
  try {
    const line = readFileSync(`/proc/self/task/${number}/stat`, 'latin1');
    return Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[STARTED_FIELD]);
  } catch {
    return undefined;
  }
}
