/**
 * A history as a list of steps, one for each sequence, and the state that it leads to: what the crash rig and the mutation
 * run hold a database against. Other than the model of the simulation it knows one state, not all that ever were.
 */
import type { Change } from './model.ts';

/** What one sequence does. */
export type Step =
  | { readonly kind: 'create'; readonly keyspace: string }
  | { readonly kind: 'drop'; readonly keyspace: string }
  | { readonly kind: 'batch'; readonly changes: readonly Change[] };

/** What the database holds at one sequence. Moves forward only. */
export class ExpectedState {
  sequence = 0;
  readonly keyspaces: Map<string, Map<string, string>> = new Map();

  apply(step: Step): void {
    this.sequence++;
    if (step.kind === 'create') this.keyspaces.set(step.keyspace, new Map());
    else if (step.kind === 'drop') this.keyspaces.delete(step.keyspace);
    else for (const change of step.changes) applyChange(this.keyspaces.get(change.keyspace)!, change);
  }

  /** Entries of a keyspace in the order of their keys. */
  sorted(keyspace: string): [string, string][] {
    return [...this.keyspaces.get(keyspace)!].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }
}

function applyChange(entries: Map<string, string>, change: Change): void {
  if (change.kind === 'put') entries.set(change.key, change.value);
  else if (change.kind === 'merge') {
    entries.set(change.key, (entries.get(change.key) ?? '') + change.operand);
  } else if (change.kind === 'delete') entries.delete(change.key);
  else for (const key of entries.keys()) if (key >= change.from && key < change.to) entries.delete(key);
}

/** Lets every promise that can settle do so: macrotasks are all in the scripted scheduler. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 12; i++) await Promise.resolve();
}
