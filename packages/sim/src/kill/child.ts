/**
 * A writer process as its parent sees it: started with orders, killed when the parent says so, and in any case at the end.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { programEntry } from '../program-entry.ts';
import type { ReportKind, WriterOrders } from './orders.ts';

/** When to send SIGKILL: so many milliseconds after that report. */
export interface KillMoment {
  readonly after: 'opening' | 'ready';
  readonly ms: number;
}

/** What is known of a writer that has ended. */
export interface WriterEnd {
  /** Sequence that its open recovered; undefined when it did not come so far. */
  readonly ready: number | undefined;
  /** Highest sequences that it was promised. */
  readonly os: number;
  readonly disk: number;
  /** Promises it reported. */
  readonly promises: number;
  /** Last sequence written before an orderly end. */
  readonly end: number | undefined;
  readonly failed: string | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  /** It had to be killed because it did not end. */
  readonly hung: boolean;
}

const HANG_MS = 30_000;

/**
 * Runs one writer to its end; resolves when the process is gone and all that it said has been read. `codeCache` is a
 * directory where Node keeps compiled code: half of the time that a short life takes is loading the engine.
 */
export async function runWriter(
  orders: WriterOrders,
  moment: KillMoment | undefined,
  codeCache: string,
): Promise<WriterEnd> {
  const entry = programEntry('./writer', import.meta.url);
  const child = spawn(process.execPath, [...entry.execArgv, entry.path, JSON.stringify(orders)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: codeCache },
  });
  const seen: Record<ReportKind, number | undefined> & { message: string | undefined; promises: number } = {
    opening: undefined,
    ready: undefined,
    os: undefined,
    disk: undefined,
    end: undefined,
    failed: undefined,
    message: undefined,
    promises: 0,
  };
  const timers: NodeJS.Timeout[] = [];
  const kill = (): void => void child.kill('SIGKILL');
  let hung = false;
  timers.push(
    setTimeout(() => {
      hung = true;
      kill();
    }, HANG_MS),
  );
  const ending = (): void => kill();
  process.once('exit', ending);
  createInterface({ input: child.stdout }).on('line', (line) => {
    const space = line.indexOf(' ');
    const kind = line.slice(0, space) as ReportKind;
    const detail = line.slice(space + 1);
    if (kind === 'failed') seen.message = detail;
    else seen[kind] = Math.max(seen[kind] ?? 0, Number(detail));
    if (kind === 'os' || kind === 'disk') seen.promises++;
    if (kind === moment?.after) timers.push(setTimeout(kill, moment.ms));
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (...how) => resolve(how));
    });
    const { ready, end, message: failed, promises } = seen;
    return {
      ready,
      os: seen.os ?? 0,
      disk: seen.disk ?? 0,
      promises,
      end,
      failed,
      code,
      signal,
      stderr,
      hung,
    };
  } finally {
    for (const timer of timers) clearTimeout(timer);
    process.off('exit', ending);
    kill();
  }
}
