/**
 * Who depends on whom: the direct serialization graph of a history (A. Adya, "Weak Consistency", 1999).
 *
 *   ww  one wrote a version of a key, the other the next one
 *   wr  one wrote the version that the other read
 *   rw  one read a version of which the other wrote the next one
 *
 * Versions of a key are ordered by the sequences at which they were committed; a key that is not there is a version as any
 * other, so a range that was read is a read of each key in it, and a phantom is an rw edge.
 */
import { ABSENT, type History, type TransactionRecord } from './history.ts';

export type EdgeKind = 'ww' | 'wr' | 'rw';

export interface Edge {
  readonly from: number;
  readonly to: number;
  readonly kind: EdgeKind;
  readonly key: string;
}

/** Of each key the versions that were committed, oldest first, with their writers. */
type Versions = Map<string, { readonly version: string; readonly by: number }[]>;

export interface Graph {
  readonly edges: readonly Edge[];
  readonly edgesOf: ReadonlyMap<number, readonly Edge[]>;
}

export function graphOf(history: History): Graph {
  const committed = history.transactions
    .filter(({ committedAt }) => committedAt !== undefined)
    .sort((a, b) => a.committedAt! - b.committedAt!);
  const versions = versionsOf(committed);
  const edges = new Map<string, Edge>();
  const add = (edge: Edge): void => {
    if (edge.from !== edge.to) edges.set(`${edge.from} ${edge.to} ${edge.kind}`, edge);
  };
  for (const [key, list] of versions) {
    for (let i = 1; i < list.length; i++) {
      add({ from: list[i - 1]!.by, to: list[i]!.by, kind: 'ww', key });
    }
  }
  for (const { id, operations } of committed) {
    for (const operation of operations) {
      if (operation.kind !== 'read') continue;
      const { key, version } = operation;
      const list = versions.get(key) ?? [];
      const at = list.findIndex((each) => each.version === version);
      if (at >= 0) add({ from: list[at]!.by, to: id, kind: 'wr', key });
      else if (version !== ABSENT) continue;
      const next = list[at + 1];
      if (next !== undefined) add({ from: id, to: next.by, kind: 'rw', key });
    }
  }
  const edgesOf = new Map<number, Edge[]>();
  for (const edge of edges.values()) {
    const list = edgesOf.get(edge.from);
    if (list === undefined) edgesOf.set(edge.from, [edge]);
    else list.push(edge);
  }
  return { edges: [...edges.values()], edgesOf };
}

function versionsOf(committed: readonly TransactionRecord[]): Versions {
  const versions: Versions = new Map();
  for (const { id, operations } of committed) {
    for (const operation of operations) {
      if (operation.kind !== 'write' || operation.isIntermediate) continue;
      const list = versions.get(operation.key) ?? [];
      list.push({ version: operation.version, by: id });
      versions.set(operation.key, list);
    }
  }
  return versions;
}

/** A shortest cycle of edges that `takes` allows, beginning with `first`; undefined when there is none. */
export function cycleFrom(
  first: Edge,
  { edgesOf }: Graph,
  takes: (edge: Edge, before: Edge) => boolean,
): Edge[] | undefined {
  const paths: Edge[][] = [[first]];
  const seen = new Set<string>();
  for (let path = paths.shift(); path !== undefined; path = paths.shift()) {
    const last = path.at(-1)!;
    for (const edge of edgesOf.get(last.to) ?? []) {
      if (!takes(edge, last)) continue;
      if (edge.to === first.from) {
        // The cycle closes: its first edge comes after its last.
        if (takes(first, edge)) return [...path, edge];
        continue;
      }
      const state = `${edge.to} ${edge.kind}`;
      if (seen.has(state)) continue;
      seen.add(state);
      paths.push([...path, edge]);
    }
  }
  return undefined;
}
