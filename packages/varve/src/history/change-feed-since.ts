/**
 * Where a change feed begins: from what the caller gives to a place in a history that is still there and still kept.
 *
 * A sequence alone does not say which history it belongs to, because those that a crash has lost are given out again; the
 * manifest knows with which sequence each incarnation has ended (manifest/incarnation-ends.ts).
 */
import { invalid } from '../base/errors.ts';
import type { ChangeToken } from '../engine/change-types.ts';
import { describeValue } from '../engine/codecs/codec.ts';
import type { Core } from '../engine/core.ts';
import { endOf, incarnationOf } from '../manifest/incarnation-ends.ts';
import type { Log } from '../wal/log.ts';

/** @throws VarveError `OPTION_INVALID`, `CHANGES_LOST`, `CHANGES_GONE` */
export function beginning(core: Core, log: Log, since: unknown): ChangeToken {
  const current = core.incarnation;
  const { visible } = core.state;
  const oldest = oldestToken(core, log);
  if (since === undefined || since === 'now') return { incarnation: current, sequence: visible };
  if (since === 'oldest') return oldest;
  const token = tokenOf(since, current);
  const { incarnation, sequence } = token;
  const { incarnationEnds: ends } = core.installer.version;
  const last =
    incarnation === current ? { incarnation, sequence: visible } : lastCommon(ends, incarnation, current);
  if (last !== undefined && sequence > last.sequence) throw lost(token, last);
  // Without its end nothing says that it is this history; its log is long gone.
  if (last === undefined || sequence < oldest.sequence) throw gone(token, oldest);
  return token;
}

/** Before the oldest batch that is kept. */
export function oldestToken(core: Core, log: Log): ChangeToken {
  const first = core.state.exclusive(() => log.readable()[0]?.firstSequence ?? log.lastSequence + 1);
  const { incarnationEnds } = core.installer.version;
  return { incarnation: incarnationOf(incarnationEnds, first - 1, core.incarnation), sequence: first - 1 };
}

/** Where the history of `incarnation` and this one part; undefined when that is not known any more. */
function lastCommon(
  ends: Parameters<typeof endOf>[0],
  incarnation: number,
  current: number,
): ChangeToken | undefined {
  // A later one than this is of another directory, or of this one before an older state was put in its place.
  const known = Math.min(incarnation, current - 1);
  const sequence = known === 0 ? 0 : endOf(ends, known);
  return sequence === undefined ? undefined : { incarnation: known, sequence };
}

function tokenOf(since: unknown, current: number): ChangeToken {
  if (isWhole(since)) return { incarnation: current, sequence: since };
  const { incarnation, sequence } = (typeof since === 'object' && since !== null ? since : {}) as Partial<
    Record<keyof ChangeToken, unknown>
  >;
  if (isWhole(incarnation) && incarnation > 0 && isWhole(sequence)) return { incarnation, sequence };
  throw invalid(
    'OPTION_INVALID',
    `since is a token { incarnation, sequence }, a sequence, 'oldest' or 'now'; got ${describeValue(since)}`,
    { option: 'since', got: since },
  );
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function lost(since: ChangeToken, last: ChangeToken): Error {
  const message =
    `there is no sequence ${since.sequence} in what incarnation ${since.incarnation} has left: it and this ` +
    `history part behind sequence ${last.sequence}; what a consumer took over since has to be undone`;
  return invalid('CHANGES_LOST', message, { since, lastCommon: last });
}

function gone(since: ChangeToken, oldest: ChangeToken): Error {
  const message =
    `the changes behind sequence ${since.sequence} are not kept any more: the oldest that is has sequence ` +
    `${oldest.sequence + 1}; see changesRetention`;
  return invalid('CHANGES_GONE', message, { since, oldest, oldestSequence: oldest.sequence + 1 });
}
