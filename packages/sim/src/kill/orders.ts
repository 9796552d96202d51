/**
 * What the parent tells a writer, and the lines that the writer answers with. Plain data: it goes through an argument of the
 * process; the answers are lines of text on standard output, each written by one synchronous call.
 */
import type { DatabaseOptions } from 'varve';
import type { MemtableType } from 'varve/testing';

/** How a writer's life ends. `kill` is up to the parent; all others the writer does itself. */
export type WriterEnding = 'kill' | 'exit' | 'throw' | 'reject' | 'close';

export interface WriterOrders {
  readonly path: string;
  readonly seed: number;
  readonly epoch: number;
  readonly options: DatabaseOptions;
  readonly memtable: MemtableType;
  /** Of a hundred writes, how many are awaited at `os`, and at `disk`. */
  readonly osWrites: number;
  readonly diskWrites: number;
  readonly ending: WriterEnding;
  /** Milliseconds of writing after which the writer ends itself. */
  readonly lifeMs: number;
}

/**
 * `opening` before open, `ready` with the recovered sequence, `os` and `disk` with a sequence that was promised that class,
 * `end` with the last sequence that was written at all before an orderly end, `failed` with a message.
 */
export type ReportKind = 'opening' | 'ready' | 'os' | 'disk' | 'end' | 'failed';

/** The error that a writer throws on purpose. */
export const PLANNED_ERROR = 'planned by the crash rig';
