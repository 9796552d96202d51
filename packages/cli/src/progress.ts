/**
 * The bar of long work, on stderr and only when a person watches it; elsewhere every call does nothing.
 */
import { SingleBar } from 'cli-progress';
import type { OutputStream } from './output.ts';

export interface Progress {
  /** Work done so far, and a note beside the bar. */
  update(done: number, note: string): void;
  /** Removes the bar. Idempotent. */
  stop(): void;
}

const signals = ['SIGINT', 'SIGTERM'] as const;

const silent: Progress = { update: () => undefined, stop: () => undefined };

/** Starts a bar of `total` units of work; `total` 0 shows the note and the time only. */
export function startProgress(stream: OutputStream, label: string, total: number): Progress {
  if (stream.isTTY !== true) return silent;
  const bar = new SingleBar({
    format:
      total > 0
        ? `${label} {bar} {percentage}% {note} {duration_formatted}`
        : `${label} {note} {duration_formatted}`,
    stream,
    fps: 5,
    hideCursor: true,
    clearOnComplete: true,
    barCompleteChar: '\u2588',
    barIncompleteChar: '\u2591',
    barsize: 30,
  });
  bar.start(Math.max(1, total), 0, { note: '' });
  let stopped = false;
  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    for (const name of signals) process.removeListener(name, interrupted);
    bar.stop();
  };
  // The bar hides the cursor: it comes back before the signal does what it does without us.
  const interrupted = (signal: NodeJS.Signals): void => {
    stop();
    process.kill(process.pid, signal);
  };
  for (const name of signals) process.once(name, interrupted);
  return {
    update(done, note) {
      if (!stopped) bar.update(total > 0 ? Math.min(done, total) : 0, { note });
    },
    stop,
  };
}
