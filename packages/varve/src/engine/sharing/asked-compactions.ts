/**
 * What attached threads have the owner do about compactions, and what of it ends with them: `compact` and `reclaim`, which they
 * may call off and follow, and pauses. A thread that is gone, or has closed the database, can not end its pauses itself, and
 * waits for no compaction. Owner's thread.
 */
import type { CompactOptions } from '../api-types.ts';
import type { OnProgress, ReclaimOptions, ReclaimReport } from '../compaction-types.ts';
import type { Core } from '../core.ts';
import type { OwnerRequests } from './owner.ts';
import type { Asker } from './requests.ts';

/** What is asked for, without what does not go from thread to thread. */
export interface AskedWork {
  readonly options: Omit<CompactOptions & ReclaimOptions, 'signal' | 'onProgress'>;
  /** Does it want to hear how far it is? */
  readonly tells: boolean;
}

/** The calls that it hands on to. */
interface Calls {
  compact(options: CompactOptions): Promise<void>;
  reclaim(options: ReclaimOptions): Promise<ReclaimReport>;
}

type Work = (options: AskedWork['options'] & { signal: AbortSignal; onProgress?: OnProgress }) => unknown;

export class AskedCompactions {
  readonly #core: Core;
  readonly #calls: Calls;
  /** Of what runs, by thread and request. */
  readonly #running = new Map<string, Map<number, AbortController>>();

  constructor(core: Core, calls: Calls) {
    this.#core = core;
    this.#calls = calls;
  }

  requests(): OwnerRequests {
    const { gate } = this.#core.background.compactions;
    return {
      compact: (asked: AskedWork, from: Asker) => this.#run(asked, from, (all) => this.#calls.compact(all)),
      reclaim: (asked: AskedWork, from: Asker) => this.#run(asked, from, (all) => this.#calls.reclaim(all)),
      abort: (id: number, { thread }: Asker) => this.#running.get(thread)?.get(id)?.abort(),
      pauseCompaction: (_: undefined, { thread }: Asker) => {
        this.#core.pipeline.checkMutable();
        gate.pause(thread);
      },
      resumeCompaction: (_: undefined, { thread }: Asker) => this.#resumed(() => gate.resume(thread)),
    };
  }

  /** The thread has the database open no longer. */
  left(thread: string): void {
    for (const controller of this.#running.get(thread)?.values() ?? []) controller.abort();
    if (!this.#core.state.isClosed)
      this.#resumed(() => this.#core.background.compactions.gate.release(thread));
  }

  #resumed(resume: () => void): void {
    this.#core.state.checkOpen();
    resume();
    this.#core.background.schedule();
  }

  async #run({ options, tells }: AskedWork, from: Asker, work: Work): Promise<unknown> {
    const controller = new AbortController();
    const { signal } = controller;
    const { thread, id } = from;
    let running = this.#running.get(thread);
    if (running === undefined) this.#running.set(thread, (running = new Map()));
    running.set(id, controller);
    try {
      return await work({
        ...options,
        signal,
        ...(tells && { onProgress: (progress) => from.tell(progress) }),
      });
    } finally {
      running.delete(id);
      if (running.size === 0) this.#running.delete(thread);
    }
  }
}
