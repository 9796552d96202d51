/**
 * The targets of the comparison, as data: for a workload of Varve the least ratio of throughputs over others. Varve writes
 * by single puts handed over once a tick; of a Node peer the best of its modes counts. Reads are those after flush and
 * full compaction.
 */
import type { Engine, Mode } from './job.ts';

export interface Target {
  readonly workload: string;
  /** Over the fastest of these. */
  readonly over: readonly Engine[];
  readonly ratio: number;
  /** The mode of the other one; without it its best. */
  readonly mode?: Mode;
  /** The workload of the other one where it differs. */
  readonly against?: string;
  readonly label: string;
}

const peers = ['classic-level', 'lmdb', 'rocksdb', 'sqlite'] as const satisfies readonly Engine[];
const allButLmdb = peers.filter((peer) => peer !== 'lmdb');

const overCpp = (workload: string, ratio: number, mode: Mode = 'plain'): Target => ({
  workload,
  over: ['db_bench'],
  ratio,
  mode,
  label: mode === 'plain' ? 'db_bench' : `db_bench --${mode}`,
});
const overPeers = (workload: string, ratio: number, against = workload): Target => ({
  workload,
  over: peers,
  ratio,
  against,
  label: 'best Node peer',
});
const overLmdb = (workload: string, ratio: number): Target => ({
  workload,
  over: ['lmdb'],
  ratio,
  label: 'lmdb',
});
const overOthers = (workload: string, ratio: number): Target => ({
  workload,
  over: allButLmdb,
  ratio,
  label: 'best peer but lmdb',
});

export const targets: readonly Target[] = [
  overCpp('fillseq', 2),
  overPeers('fillseq', 1.5),
  ...['fillrandom', 'overwrite'].flatMap((name) => [
    overCpp(name, 2.5),
    overCpp(name, 2, 'manual_wal_flush'),
    overPeers(name, 2.5),
  ]),
  overCpp('fillbatch', 1.3),
  overPeers('fillbatch', 2),
  overPeers('fillsync', 5),
  overCpp('readrandom', 1.8),
  { ...overLmdb('readrandom', 1), label: 'lmdb, copying get' },
  overOthers('readrandom', 2.5),
  overCpp('readmissing', 3),
  overPeers('readmissing', 5),
  overCpp('readseq', 2),
  overPeers('readseq', 8),
  overPeers('readseq-objects', 3, 'readseq'),
  ...['readreverse', 'seekrandom'].flatMap((name) => [
    overCpp(name, 1),
    overPeers(name, 4),
    overPeers(`${name}-objects`, 2.5, name),
  ]),
  overCpp('readwhilewriting', 1.5),
  overPeers('readwhilewriting', 2),
  ...['a', 'e', 'f'].map((name) => overPeers(`ycsb-${name}`, 2)),
  ...['b', 'c', 'd'].flatMap((name) => [overOthers(`ycsb-${name}`, 2), overLmdb(`ycsb-${name}`, 1)]),
];
