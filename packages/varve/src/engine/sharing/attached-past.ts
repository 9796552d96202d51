/**
 * Reads of the past in an attached thread: the owner knows how far back each keyspace can be read and when what was committed.
 *
 * The owner registers the state that it answers with for itself; then this thread does, and the owner lets go. So the state is
 * registered all the time. Of a thread that dies in between the owner's registration goes after a while (`answerPast`).
 */
import type { Timer } from '../../runtime/scheduler.ts';
import type { Core } from '../core.ts';
import type { KeptVersions, PastReads, PastState, PastTarget } from '../past.ts';
import type { ReadPoint } from '../read-point.ts';
import type { SnapshotRegister } from '../snapshot-register.ts';

/** How long the owner holds for a thread that does not say that it has registered. */
const HELD_MS = 10_000;

/** What the owner is asked, by its name. */
type AskOwner = <T>(name: string, input: unknown) => T;

/** An answer, and the owner's registration that stands behind it. */
interface Held<T> {
  readonly answer: T;
  readonly hold: number;
}

export class AttachedPast implements PastReads {
  readonly #ask: AskOwner;
  readonly #register: SnapshotRegister;

  constructor(ask: AskOwner, register: SnapshotRegister) {
    this.#ask = ask;
    this.#register = register;
  }

  at(target: PastTarget | 'now'): PastState {
    const held = this.#ask<Held<PastState>>('pastAt', target);
    this.#take(held.answer, held.hold);
    return held.answer;
  }

  keptOf(keyspace: number): KeptVersions {
    const { answer, hold } = this.#ask<Held<KeptVersions>>('pastKept', keyspace);
    if (answer.start !== undefined) this.#take(answer.start, hold);
    return answer;
  }

  timesOf(sequences: readonly number[], noted: number): (number | undefined)[] {
    return sequences.length === 0 ? [] : this.#ask('pastTimes', { sequences, noted });
  }

  latestTimesOf(sequences: readonly number[]): (number | undefined)[] {
    return sequences.length === 0 ? [] : this.#ask('pastLatestTimes', sequences);
  }

  /** Takes over what the owner has registered. */
  #take({ sequence, time }: ReadPoint, hold: number): void {
    this.#register.addPast(sequence, time);
    this.#ask('pastTaken', hold);
  }
}

/** The owner's end: answers by the names that are asked. */
export function answerPast({ past, register, scheduler }: Core): Record<string, (input: never) => unknown> {
  const held = new Map<number, { readonly point: ReadPoint; readonly timer: Timer }>();
  let last = 0;
  const release = (id: number): void => {
    const each = held.get(id);
    if (each === undefined) return;
    held.delete(id);
    each.timer.cancel();
    register.remove(each.point.sequence, each.point.time);
  };
  const hold = <T>(answer: T, point: ReadPoint | undefined): Held<T> => {
    const id = ++last;
    if (point !== undefined) {
      held.set(id, { point, timer: scheduler.after(HELD_MS, () => release(id)) });
    }
    return { answer, hold: id };
  };
  return {
    pastAt: (target: PastTarget | 'now') => {
      const state = past.at(target);
      return hold(state, state);
    },
    pastKept: (keyspace: number) => {
      const kept = past.keptOf(keyspace);
      return hold(kept, kept.start);
    },
    pastTimes: ({ sequences, noted }: { sequences: readonly number[]; noted: number }) =>
      past.timesOf(sequences, noted),
    pastLatestTimes: (sequences: readonly number[]) => past.latestTimesOf(sequences),
    pastTaken: release,
  };
}
