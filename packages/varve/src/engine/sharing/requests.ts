/**
 * What attached threads ask of the owner, and what the owner tells them: messages of broadcast channels, which need nothing but
 * a name and so get to threads that were started by anybody. One channel on which the owner listens, one a slot for answers.
 *
 * A request is answered when the owner's event loop turns, or when the owner writes (`Owner.serve`). Who can not wait for a
 * turn of its own loop parks on the ANSWERS word of its slot and takes the answer off the channel (`askNow`). Such a request has a
 * word of its own, by which it is answered or given up, never both: who is told that the owner was busy knows that nothing happened.
 */
import { BroadcastChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { busy, closed, VarveError } from '../../base/errors.ts';
import { packError, reviveError, type TransferredError } from '../../workers/error-transfer.ts';
import { Deferred } from '../../runtime/deferred.ts';
import { REQUESTS, SLOT_ANSWERS, SLOT_HEARD, slotAt } from './control-words.ts';

interface Request {
  readonly slot: number;
  readonly generation: number;
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
  /** Of a thread that is parked: one word, 0 until the owner takes the request or the thread gives it up. */
  readonly claim?: SharedArrayBuffer;
}

const TAKEN = 1;
const GIVEN_UP = 2;

interface Answer {
  readonly id: number;
  readonly output?: unknown;
  readonly error?: TransferredError;
}

/** How far what was asked for is, before its answer. */
interface Told {
  readonly id: number;
  readonly told: unknown;
}

/** Who asks, and by which request. */
export interface Asker {
  /** The thread, by a name that no other has had. */
  readonly thread: string;
  readonly id: number;
  /** Tells it something before the answer. */
  tell(what: unknown): void;
}

/** Something that the owner tells without being asked. */
export interface Notice {
  readonly notice: string;
  readonly detail: unknown;
}

type Message = { readonly data: unknown };

const ownerChannel = (id: string): string => `varve:${id}`;
const slotChannel = (id: string, slot: number, generation: number): string =>
  `varve:${id}:${slot}:${generation}`;

/** The types of Node say less of a broadcast channel than its documentation does. */
function unref(channel: BroadcastChannel): void {
  (channel as unknown as { unref(): void }).unref();
}

/** The next message that has arrived, without a turn of the event loop. */
function take<T>(channel: BroadcastChannel): T | undefined {
  const taken = receiveMessageOnPort(channel as unknown as MessagePort) as { message: T } | undefined;
  return taken?.message;
}

const BACKLOG_MAX = 1000;

/** A word that is looked at while parked: how long the owner may be dead before it is noticed. */
const LOOK_MS = 20;

/** Gives the output, or a promise for it. */
export type AnswerRequest = (name: string, input: unknown, from: Asker) => unknown;

/** The owner's end. */
export class RequestServer {
  readonly #id: string;
  readonly #control: Int32Array;
  readonly #channel: BroadcastChannel;
  readonly #answer: AnswerRequest;
  readonly #slots = new Map<string, { slot: number; generation: number; channel: BroadcastChannel }>();
  #seen = 0;

  constructor(id: string, control: Int32Array, answer: AnswerRequest) {
    this.#id = id;
    this.#control = control;
    this.#answer = answer;
    this.#channel = new BroadcastChannel(ownerChannel(id));
    this.#channel.onmessage = (message: unknown): void =>
      this.#received((message as Message).data as Request);
    unref(this.#channel);
  }

  /** Takes what is there now, without a turn of the event loop. */
  serve(): void {
    const requests = Atomics.load(this.#control, REQUESTS);
    if (requests === this.#seen) return;
    this.#seen = requests;
    for (;;) {
      const message = take<Request>(this.#channel);
      if (message === undefined) return;
      this.#received(message);
    }
  }

  /** A thread that is blocked hears no more than BACKLOG_MAX events, which would else pile up for ever. */
  hears(slot: number): boolean {
    const at = slotAt(slot);
    const sent = Atomics.load(this.#control, at + SLOT_ANSWERS);
    return ((sent - Atomics.load(this.#control, at + SLOT_HEARD)) | 0) < BACKLOG_MAX;
  }

  notify(slot: number, generation: number, notice: string, detail: unknown): void {
    this.#post(slot, generation, { notice, detail } satisfies Notice);
  }

  /** Closes the channels to threads that have left their slots, and says which (`Asker.thread`). */
  forgetGone(isThere: (slot: number, generation: number) => boolean): string[] {
    const gone: string[] = [];
    for (const [name, { slot, generation, channel }] of this.#slots) {
      if (isThere(slot, generation)) continue;
      channel.close();
      this.#slots.delete(name);
      gone.push(name);
    }
    return gone;
  }

  close(): void {
    this.#channel.close();
    for (const { channel } of this.#slots.values()) channel.close();
    this.#slots.clear();
  }

  #received({ slot, generation, id, name, input, claim }: Request): void {
    if (claim !== undefined && Atomics.compareExchange(new Int32Array(claim), 0, 0, TAKEN) !== 0) return;
    const failed = (error: unknown): void =>
      this.#post(slot, generation, { id, error: packError(error) } satisfies Answer);
    const from: Asker = {
      thread: slotChannel(this.#id, slot, generation),
      id,
      tell: (told) => {
        if (this.hears(slot)) this.#post(slot, generation, { id, told });
      },
    };
    try {
      const output = this.#answer(name, input, from);
      // Answered at once where that is possible: the thread that asks may be parked.
      if (output instanceof Promise) {
        output.then((value) => this.#post(slot, generation, { id, output: value }), failed);
      } else this.#post(slot, generation, { id, output });
    } catch (error) {
      failed(error);
    }
  }

  #post(slot: number, generation: number, message: Answer | Told | Notice): void {
    const name = slotChannel(this.#id, slot, generation);
    let to = this.#slots.get(name);
    if (to === undefined) {
      to = { slot, generation, channel: new BroadcastChannel(name) };
      unref(to.channel);
      this.#slots.set(name, to);
    }
    to.channel.postMessage(message);
    const at = slotAt(slot) + SLOT_ANSWERS;
    Atomics.add(this.#control, at, 1);
    Atomics.notify(this.#control, at);
  }
}

export interface RequestClientEnv {
  readonly id: string;
  readonly control: Int32Array;
  readonly slot: number;
  readonly generation: number;
  noticed(notice: Notice): void;
  /** Throws when the owner is closed or gone. */
  checkOwner(): void;
}

/** An attached thread's end. */
export class RequestClient {
  readonly #env: RequestClientEnv;
  readonly #toOwner: BroadcastChannel;
  readonly #answers: BroadcastChannel;
  readonly #waiting = new Map<number, Deferred<unknown>>();
  /** Who hears what is told before an answer. */
  readonly #listening = new Map<number, (what: unknown) => void>();
  #nextId = 1;
  #isClosed = false;

  constructor(env: RequestClientEnv) {
    this.#env = env;
    this.#toOwner = new BroadcastChannel(ownerChannel(env.id));
    this.#answers = new BroadcastChannel(slotChannel(env.id, env.slot, env.generation));
    this.#answers.onmessage = (message: unknown): void =>
      this.#received((message as Message).data as Answer | Told | Notice);
    for (const channel of [this.#toOwner, this.#answers]) unref(channel);
  }

  /** Resolves with the owner's answer. */
  ask<T>(name: string, input: unknown): Promise<T> {
    return this.#send(name, input).promise as Promise<T>;
  }

  /** The same, where the owner may tell something before it answers; `id` names the request to it. */
  begin<T>(name: string, input: unknown, told: (what: unknown) => void): { promise: Promise<T>; id: number } {
    const { promise, id } = this.#send(name, input);
    this.#listening.set(id, told);
    return { promise: promise as Promise<T>, id };
  }

  /** Tells the owner; nobody waits for the answer. */
  tell(name: string, input: unknown): void {
    if (this.#isClosed) return;
    this.#send(name, input).promise.catch(() => {
      // What it says comes back in other ways too.
    });
  }

  /** The owner's answer, waited for on this thread. @throws busy `OWNER_BUSY` after `ms` */
  askNow<T>(name: string, input: unknown, ms: number): T {
    const { control, slot } = this.#env;
    const at = slotAt(slot) + SLOT_ANSWERS;
    let outcome: { output: unknown } | { error: unknown } | undefined;
    const claim = new SharedArrayBuffer(4);
    const claimed = new Int32Array(claim);
    const { promise, id } = this.#send(name, input, claim);
    const deferred = this.#waiting.get(id)!;
    promise.catch(() => {
      // Thrown below.
    });
    this.#waiting.set(id, {
      promise,
      resolve: (output: unknown) => {
        outcome = { output };
        deferred.resolve(output);
      },
      reject: (error: unknown) => {
        outcome = { error };
        deferred.reject(error);
      },
    } as Deferred<unknown>);
    const until = performance.now() + ms;
    for (;;) {
      const seen = Atomics.load(control, at);
      this.#drain();
      if (outcome !== undefined) break;
      const left = until - performance.now();
      // What the owner has begun it answers before it does anything else.
      if (left <= 0 && Atomics.compareExchange(claimed, 0, 0, GIVEN_UP) === 0) {
        this.#waiting.delete(id);
        throw busy('OWNER_BUSY', `the thread that opened the database has not answered for ${ms} ms`, {
          request: name,
          waitedMs: ms,
        });
      }
      const wait = left > 0 ? Math.min(left, LOOK_MS) : LOOK_MS;
      if (Atomics.wait(control, at, seen, wait) === 'timed-out') this.#env.checkOwner();
    }
    if ('error' in outcome) throw outcome.error;
    return outcome.output as T;
  }

  /** Everybody who waits gets `error`. */
  close(error: Error): void {
    this.#isClosed = true;
    for (const deferred of this.#waiting.values()) deferred.reject(error);
    this.#waiting.clear();
    this.#listening.clear();
    this.#toOwner.close();
    this.#answers.close();
  }

  #send(name: string, input: unknown, claim?: SharedArrayBuffer): { promise: Promise<unknown>; id: number } {
    if (this.#isClosed) throw closed('the database', {});
    const { control, slot, generation } = this.#env;
    const id = this.#nextId++;
    const deferred = new Deferred<unknown>();
    this.#waiting.set(id, deferred);
    try {
      const request = { slot, generation, id, name, input };
      this.#toOwner.postMessage((claim === undefined ? request : { ...request, claim }) satisfies Request);
    } catch (error) {
      this.#waiting.delete(id);
      const message = `'${name}' is asked of the thread that opened the database, and takes plain data only`;
      throw new VarveError('invalid', 'OPTION_INVALID', message, { request: name }, { cause: error });
    }
    Atomics.add(control, REQUESTS, 1);
    return { promise: deferred.promise, id };
  }

  #drain(): void {
    // A notice may have closed it.
    while (!this.#isClosed) {
      const message = take<Answer | Told | Notice>(this.#answers);
      if (message === undefined) return;
      this.#received(message);
    }
  }

  #received(message: Answer | Told | Notice): void {
    Atomics.add(this.#env.control, slotAt(this.#env.slot) + SLOT_HEARD, 1);
    if ('notice' in message) {
      this.#env.noticed(message);
      return;
    }
    if ('told' in message) {
      this.#listening.get(message.id)?.(message.told);
      return;
    }
    const deferred = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    this.#listening.delete(message.id);
    if (message.error === undefined) deferred?.resolve(message.output);
    else deferred?.reject(reviveError(message.error));
  }
}
