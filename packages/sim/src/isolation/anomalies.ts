/**
 * What must not be in a history, by the names of Adya:
 *
 *   G0        a cycle of ww edges
 *   G1a       a read of what was never committed
 *   G1b       a read of a version that its own writer replaced or took back
 *   G1c       a cycle of ww and wr edges
 *   G-single  a cycle with one rw edge (read skew; a lost update when both wrote the key that was read)
 *   G2        a cycle with more (write skew)
 *   internal  a read that does not see its transaction's own write before it, or another version than a read before it
 *
 * Serializable forbids all. Snapshot isolation allows G2 where two rw edges follow each other, and nothing else: a cycle in
 * which none do is `G-nonadjacent`.
 */
import type { Isolation } from 'varve';
import { cycleFrom, type Edge, type Graph, graphOf } from './graph.ts';
import { ABSENT, type History, type TransactionRecord } from './history.ts';

export type AnomalyName =
  | 'G0'
  | 'G1a'
  | 'G1b'
  | 'G1c'
  | 'G-single'
  | 'lost update'
  | 'G-nonadjacent'
  | 'G2'
  | 'internal';

export interface Anomaly {
  readonly name: AnomalyName;
  readonly story: string;
}

/** Those of a history that its isolation does not allow. */
export function forbidden(anomalies: readonly Anomaly[], isolation: Isolation): Anomaly[] {
  return anomalies.filter(({ name }) => isolation === 'serializable' || name !== 'G2');
}

export function anomaliesOf(history: History): Anomaly[] {
  const graph = graphOf(history);
  return [
    ...history.transactions.flatMap((transaction) => internalOf(transaction)),
    ...readsOf(history),
    ...cycles(graph, 'G0', 'ww', (edge) => edge.kind === 'ww'),
    ...cycles(graph, 'G1c', 'wr', (edge) => edge.kind !== 'rw'),
    ...singles(graph),
    ...cycles(graph, 'G-nonadjacent', 'rw', (edge, before) => edge.kind !== 'rw' || before.kind !== 'rw'),
    ...cycles(graph, 'G2', 'rw', () => true),
  ];
}

/** One of each name is enough: the first cycle through an edge of the kind. */
function cycles(
  graph: Graph,
  name: AnomalyName,
  kind: Edge['kind'],
  takes: (edge: Edge, before: Edge) => boolean,
): Anomaly[] {
  for (const edge of graph.edges) {
    if (edge.kind !== kind) continue;
    const cycle = cycleFrom(edge, graph, takes);
    if (cycle !== undefined) return [{ name, story: told(cycle) }];
  }
  return [];
}

function singles(graph: Graph): Anomaly[] {
  for (const edge of graph.edges) {
    if (edge.kind !== 'rw') continue;
    const cycle = cycleFrom(edge, graph, (other) => other === edge || other.kind !== 'rw');
    if (cycle === undefined) continue;
    const isLost =
      cycle.length === 2 && cycle.every(({ key }) => key === edge.key) && cycle[1]!.kind === 'ww';
    return [{ name: isLost ? 'lost update' : 'G-single', story: told(cycle) }];
  }
  return [];
}

function told(cycle: readonly Edge[]): string {
  return cycle.map(({ from, to, kind, key }) => `T${from} -${kind}(${key})-> T${to}`).join(', ');
}

function readsOf({ transactions }: History): Anomaly[] {
  const written = new Map<string, { by: TransactionRecord; isIntermediate: boolean }>();
  for (const by of transactions) {
    for (const operation of by.operations) {
      if (operation.kind === 'write') {
        written.set(operation.version, { by, isIntermediate: operation.isIntermediate });
      }
    }
  }
  const anomalies: Anomaly[] = [];
  for (const reader of transactions) {
    for (const operation of reader.operations) {
      if (operation.kind !== 'read' || operation.version === ABSENT) continue;
      const { key, version } = operation;
      const write = written.get(version);
      if (write?.by === reader) continue;
      const story = `T${reader.id} read ${version} of ${key}`;
      if (write === undefined || write.by.committedAt === undefined) anomalies.push({ name: 'G1a', story });
      else if (write.isIntermediate) anomalies.push({ name: 'G1b', story });
    }
  }
  return anomalies;
}

/** Inside a transaction: what it reads is what it wrote or read before. */
function internalOf({ id, operations }: TransactionRecord): Anomaly[] {
  const known = new Map<string, string>();
  for (const { kind, key, version } of operations) {
    const before = known.get(key);
    if (kind === 'read' && before !== undefined && before !== version) {
      return [{ name: 'internal', story: `T${id} read ${version} of ${key} after ${before}` }];
    }
    known.set(key, version);
  }
  return [];
}
