/**
 * The switch of a simulated machine, which a SimFs shares with its handles: every call asks whether the machine is on, and
 * each that changes the disk is counted and announced before it happens.
 */

/** What changes the disk or makes it durable: the moments at which a crash makes a difference. */
export type SimOperation =
  | 'create'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'dataSync'
  | 'makeDirectory'
  | 'remove'
  | 'removeDirectory'
  | 'rename'
  | 'link'
  | 'syncDirectory';

/** The machine is off. Not a VarveError: no code handles it, it ends the life of everything on that machine. */
export class SimulatedCrash extends Error {
  constructor(message = 'the simulated machine is off') {
    super(message);
    this.name = 'SimulatedCrash';
  }
}

/** The switch that a SimFs shares with its handles. */
export class Power {
  off = false;
  handedOver = false;
  operations = 0;
  syncs = 0;
  readonly #observe: (operation: SimOperation, path: string) => void;

  constructor(observe: (operation: SimOperation, path: string) => void) {
    this.#observe = observe;
  }

  check(): void {
    if (this.off) throw new SimulatedCrash();
  }

  before(operation: SimOperation, path: string): void {
    this.check();
    this.operations++;
    if (operation === 'sync' || operation === 'dataSync' || operation === 'syncDirectory') this.syncs++;
    try {
      this.#observe(operation, path);
    } catch (error) {
      if (error instanceof SimulatedCrash) this.off = true;
      throw error;
    }
    // The observer may have crashed the world itself.
    this.check();
  }
}
