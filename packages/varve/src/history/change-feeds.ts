/**
 * All change feeds of an open database: opens them, keeps the log that they need, wakes those that wait when more of it is
 * durable, and ends them with the database.
 *
 * Of a feed only its pin is held here, so that a feed that was lost can be found lost (leak-reports). Owner's thread.
 */
import { invalid, VarveError } from '../base/errors.ts';
import type { ChangeFeed, ChangesOptions, ChangesStats, ChangeToken } from '../engine/change-types.ts';
import type { Core } from '../engine/core.ts';
import type { ChangeFeeds } from '../engine/database.ts';
import { LeakReports } from '../engine/leak-reports.ts';
import { checkOptionMembers } from '../engine/option-members.ts';
import type { Log } from '../wal/log.ts';
import { ChangeFeedHandle } from './change-feed.ts';
import { ChangeFilter } from './change-feed-filter.ts';
import { FeedPin, type FeedOwner } from './change-feed-pin.ts';
import { beginning } from './change-feed-since.ts';

const members = new Set(['since', 'keyspaces', 'range', 'durability', 'signal']);

export class ChangeFeedTable implements ChangeFeeds, FeedOwner {
  readonly core: Core;
  readonly #pins = new Set<FeedPin>();

  constructor(core: Core) {
    this.core = core;
    const { log, durability } = core;
    if (log === undefined || durability === undefined) return;
    log.retained.readers = {
      oldest: () => this.#oldest(),
      overrun: (sequence) => this.#overrun(sequence),
    };
    durability.progressed = () => this.#wake();
  }

  /** See `Database.changes`. */
  open(options: ChangesOptions<unknown> = {}): ChangeFeed<unknown, unknown> {
    const { core } = this;
    const { state, log, options: settings } = core;
    state.checkOpen();
    checkOptions(options);
    if (settings.readOnly) {
      throw invalid('READ_ONLY', 'a database that was opened read-only has no change feed', {
        path: state.path,
      });
    }
    if (log === undefined) {
      throw invalid('LOG_EXTERNAL', "with log: 'external' the changes are in the outside log", {});
    }
    const { signal, durability = 'disk', since } = options;
    const filter = new ChangeFilter(core, options);
    const pin = new FeedPin(beginning(core, log, since));
    if (signal?.aborted === true) pin.error = aborted(signal);
    const feed = new ChangeFeedHandle(this, log, pin, filter, durability);
    if (pin.error !== undefined) return feed;
    this.#pins.add(pin);
    core.keptTables.feedBegan(pin.token.sequence);
    const abort = (): void => this.end(pin, aborted(signal!));
    signal?.addEventListener('abort', abort, { once: true });
    pin.left = () => signal?.removeEventListener('abort', abort);
    leaks.watch(feed, core, pin.token.sequence, pin);
    return feed;
  }

  stats(): ChangesStats {
    const { log } = this.core;
    const oldest = this.#oldest();
    return {
      feeds: this.#pins.size,
      ...(this.#pins.size === 0 ? {} : { oldestSequence: oldest }),
      retainedSegments: log?.retained.segments.length ?? 0,
      retainedBytes: log?.retained.bytes ?? 0,
    };
  }

  /** The database closes. What is kept stays, for the next open to decide. */
  close(error: Error): void {
    const pins = [...this.#pins];
    this.#pins.clear();
    for (const pin of pins) this.end(pin, error);
  }

  /** The feed is to end with `error`, and needs nothing any more. */
  end(pin: FeedPin, error: Error): void {
    pin.error ??= error;
    this.left(pin);
    this.#tell(pin);
  }

  /** It needs nothing any more. */
  left(pin: FeedPin): void {
    const isOpen = this.#pins.delete(pin);
    this.#dispose(pin);
    if (isOpen) this.trim();
  }

  /** From now on nothing is held for it, and there is nothing to be reported when it is lost. */
  #dispose(pin: FeedPin): void {
    leaks.forget(pin);
    pin.dispose();
  }

  /** What feeds have left behind goes. */
  trim(): void {
    this.core.trimLog();
  }

  /** Up to where batches may be shown. */
  limit(durability: 'os' | 'disk', log: Log): number {
    const { state } = this.core;
    return state.exclusive(() =>
      Math.min(state.visible, durability === 'os' ? log.handedOverSequence : log.syncedSequence),
    );
  }

  waits(): void {
    this.core.state.sharing?.feedWaits();
  }

  #oldest(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { token } of this.#pins) oldest = Math.min(oldest, token.sequence);
    return oldest;
  }

  #overrun(sequence: number): void {
    for (const pin of this.#pins) {
      if (pin.token.sequence >= sequence) continue;
      this.#pins.delete(pin);
      pin.error ??= tooSlow(pin.token, this.core.options.changesRetention.bytesMax);
      this.#dispose(pin);
      this.#tell(pin);
    }
  }

  #wake(): void {
    for (const pin of this.#pins) this.#tell(pin);
  }

  #tell(pin: FeedPin): void {
    const { wake } = pin;
    pin.wake = undefined;
    wake?.();
  }
}

/** @throws VarveError `OPTION_INVALID` */
function checkOptions(options: ChangesOptions<unknown>): void {
  checkOptionMembers('changes', options, members);
  const { durability, signal } = options;
  if (durability !== undefined && durability !== 'os' && durability !== 'disk') {
    throw invalid('OPTION_INVALID', `changes: durability is 'os' or 'disk'; got ${String(durability)}`, {
      option: 'durability',
      got: durability,
    });
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    const got = typeof signal;
    throw invalid('OPTION_INVALID', `changes: signal is an AbortSignal; got ${got}`, {
      option: 'signal',
      got,
    });
  }
}

function aborted(signal: AbortSignal): Error {
  return new VarveError('busy', 'ABORTED', 'the change feed was aborted', {}, { cause: signal.reason });
}

function tooSlow(token: ChangeToken, bytesMax: number): Error {
  const message =
    `the change feed was so far behind (at sequence ${token.sequence}) that more than ${bytesMax} bytes of log were kept ` +
    'for it; see changesRetention.bytesMax';
  return new VarveError('closed', 'CHANGES_TOO_SLOW', message, { token, bytesMax });
}

const leaks = new LeakReports<number>(
  'CHANGES_LEAKED',
  (sequence) =>
    `a change feed that began at sequence ${sequence} was not closed; it keeps log until the database closes`,
);
