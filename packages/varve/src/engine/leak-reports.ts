/**
 * Tells of things that a program has lost without closing them, when the collector finds them: a warning event and nothing
 * else, because when the collector runs is nobody's promise.
 *
 * Holds the engine weakly: an engine that keeps such a thing alive (a listener's closure) would else never be collected.
 */
import type { Session } from './core.ts';

interface Watched<T> {
  readonly core: WeakRef<Session>;
  readonly about: T;
}

export class LeakReports<T> {
  readonly #registry: FinalizationRegistry<Watched<T>>;

  /** @param message of what is known of it (`about`), which must not lead to the thing itself */
  constructor(code: string, message: (about: T) => string) {
    this.#registry = new FinalizationRegistry(({ core, about }) => {
      const engine = core.deref();
      if (engine === undefined || engine.state.isClosed) return;
      engine.events.emit('warning', () => ({ code, message: message(about) }));
    });
  }

  /** @param name what stands for it when it is to be forgotten: itself, or what does not lead to it */
  watch(thing: object, core: Session, about: T, name: object = thing): void {
    this.#registry.register(thing, { core: new WeakRef(core), about }, name);
  }

  /** It was closed. */
  forget(name: object): void {
    this.#registry.unregister(name);
  }
}
