/**
 * How long the event loop was held up while something ran: by the clock, in which other processes of the machine count as
 * well, and by the processor time of this thread between two beats of a timer, in which they do not.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LoopDelay {
  readonly ms: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly cpuP99Ms: number;
  readonly cpuMaxMs: number;
}

const NS_PER_MS = 1e6;
/** What the monitor's own timer waits for. */
const RESOLUTION_MS = 1;

/** Runs `work`; a loop that is held up from its first to its last step counts once, with all of it. */
export async function whileWatched(work: () => Promise<void> | void): Promise<LoopDelay> {
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  monitor.enable();
  await new Promise((resolve) => setTimeout(resolve, 10));
  monitor.reset();
  // The first interval after a reset is not counted: it ends before the work begins.
  await new Promise((resolve) => setTimeout(resolve, 10));
  const beats: number[] = [];
  let before = cpuMs();
  const beat = (): void => {
    const now = cpuMs();
    beats.push(now - before);
    before = now;
  };
  const timer = setInterval(beat, RESOLUTION_MS);
  const started = performance.now();
  await work();
  const ms = performance.now() - started;
  beat();
  clearInterval(timer);
  beats.sort((a, b) => a - b);
  await new Promise((resolve) => setTimeout(resolve, 5));
  monitor.disable();
  const over = (ns: number): number => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS);
  return {
    ms,
    p50Ms: over(monitor.percentile(50)),
    p99Ms: over(monitor.percentile(99)),
    maxMs: over(monitor.max),
    cpuP99Ms: beats[Math.floor(beats.length * 0.99)]!,
    cpuMaxMs: beats.at(-1)!,
  };
}

/** Processor time of this thread. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
