/** The garbage collector on demand, and the warnings of what it finds lost. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Database } from 'varve';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A weak reference that is made or read in this turn holds its target until the turn ends. */
export async function collectGarbage(turns = 1): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
}

export interface Warning {
  readonly code: string;
  readonly message: string;
}

/** The first warning from now on. */
export function warningOf(db: Database): Promise<Warning> {
  return new Promise((resolve) =>
    db.events.addEventListener('warning', (event) => resolve((event as CustomEvent<Warning>).detail), {
      once: true,
    }),
  );
}
