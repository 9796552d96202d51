/**
 * What the commit pipeline stands on (commit-pipeline.ts), as interfaces: it can be tested without opening a database, and what
 * looks at writes from a higher floor is handed in.
 */
import type { Poison } from '../runtime/poison.ts';
import type { DurableLog } from '../wal/log-options.ts';
import type { JobRunner } from '../workers/job-runner.ts';
import type { BatchBuffer } from '../record/batch.ts';
import type { Durability } from './durability.ts';
import type { ExternalPosition } from './external-position.ts';
import type { Pressure } from './pressure.ts';
import type { EngineState } from './state.ts';
import type { Tree } from './tree.ts';

/** What the pipeline needs from the rest of the engine: testable without opening a database. */
export interface CommitEnv {
  readonly state: EngineState;
  /** Undefined when batches come from an outside log. */
  readonly log: DurableLog | undefined;
  readonly durability: Durability | undefined;
  readonly pressure: Pressure;
  readonly poison: Poison;
  readonly runner: JobRunner;
  readonly batchBytesMax: number;
  readonly counters: { user: number };
  /** Longest wait for other threads that write. */
  readonly lockMsMax: number;
  readonly isReadOnly: boolean;
  readonly external: ExternalPosition;
  /** After each commit, with the trees it wrote to: rotates what is full, starts what is due. */
  committed(touched: readonly Tree[]): void;
}

/** Looks at writes before they are made (transaction/locks.ts), with the write lock where threads share the database. @throws conflict `KEY_LOCKED` */
export interface WriteGuard {
  one(keyspaceId: number, kind: number, key: Uint8Array, value: Uint8Array): void;
  batch(batch: BatchBuffer): void;
  /** Resolves when something has been unlocked. */
  change(): Promise<void>;
}
