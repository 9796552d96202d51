/**
 * Which operations go wrong: the rules of the fault-injecting wrapper, drawn with a seeded Random and counted.
 */
import type { Random } from '../base/random.ts';
import { systemFailure } from './system-error.ts';

export type FaultOperation =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'dataSync'
  | 'status'
  | 'list'
  | 'makeDirectory'
  | 'remove'
  | 'removeDirectory'
  | 'rename'
  | 'link'
  | 'syncDirectory'
  | 'lock';

export type FaultKind = 'EIO' | 'ENOSPC' | 'shortWrite' | 'failedSync' | 'bitFlip' | 'latency';

export interface FaultRule {
  readonly kind: FaultKind;
  /** Default: what the kind makes sense for (`EIO` and `latency`: everything; `ENOSPC`: create, write, makeDirectory). */
  readonly operations?: readonly FaultOperation[];
  /** A part of the path, or a pattern. Default: every path. Renames and links match by their first path. */
  readonly path?: string | RegExp;
  /** Of each matching operation, 0 to 1. Default 1. */
  readonly probability?: number;
  /** So many matching operations pass first. Default 0. */
  readonly skip?: number;
  /** The rule is spent after so many faults. Default: never. */
  readonly times?: number;
}

interface ActiveRule {
  readonly rule: FaultRule;
  skip: number;
  times: number;
}

const sensible: Readonly<Record<FaultKind, readonly FaultOperation[] | undefined>> = {
  EIO: undefined,
  ENOSPC: ['create', 'write', 'makeDirectory'],
  shortWrite: ['write'],
  failedSync: ['sync', 'dataSync', 'syncDirectory'],
  bitFlip: ['read'],
  latency: undefined,
};

export class FaultRules {
  readonly random: Random;
  readonly injected: Record<FaultKind, number> = {
    EIO: 0,
    ENOSPC: 0,
    shortWrite: 0,
    failedSync: 0,
    bitFlip: 0,
    latency: 0,
  };
  readonly #delay: (operation: FaultOperation, path: string) => void;
  readonly #active: Set<ActiveRule> = new Set();

  constructor(random: Random, delay: (operation: FaultOperation, path: string) => void) {
    this.random = random;
    this.#delay = delay;
  }

  /** Puts a rule in force; the result takes it out again. */
  add(rule: FaultRule): () => void {
    const active = { rule, skip: rule.skip ?? 0, times: rule.times ?? Number.POSITIVE_INFINITY };
    this.#active.add(active);
    return () => {
      this.#active.delete(active);
    };
  }

  clear(): void {
    this.#active.clear();
  }

  /** The delay, and the faults that keep an operation from happening. */
  before(operation: FaultOperation, path: string): void {
    if (this.#active.size === 0) return;
    if (this.strikes('latency', operation, path)) this.#delay(operation, path);
    if (this.strikes('EIO', operation, path) || this.strikes('failedSync', operation, path))
      throw systemFailure('EIO', operation, path);
    if (this.strikes('ENOSPC', operation, path)) throw systemFailure('ENOSPC', operation, path);
  }

  /** Does a rule of this kind strike now? Then it is counted. */
  strikes(kind: FaultKind, operation: FaultOperation, path: string): boolean {
    for (const active of this.#active) {
      const { rule } = active;
      const operations = rule.operations ?? sensible[kind];
      if (rule.kind !== kind || active.times <= 0) continue;
      if (operations !== undefined && !operations.includes(operation)) continue;
      if (!matches(rule.path, path)) continue;
      if (active.skip > 0) {
        active.skip--;
        continue;
      }
      if (rule.probability !== undefined && this.random.fraction() >= rule.probability) continue;
      active.times--;
      this.injected[kind]++;
      return true;
    }
    return false;
  }

  /** A full disk, by the budget. */
  full(operation: string, path: string): Error {
    this.injected.ENOSPC++;
    return systemFailure('ENOSPC', operation, path);
  }
}

function matches(pattern: string | RegExp | undefined, path: string): boolean {
  if (pattern === undefined) return true;
  return typeof pattern === 'string' ? path.includes(pattern) : path.search(pattern) >= 0;
}
