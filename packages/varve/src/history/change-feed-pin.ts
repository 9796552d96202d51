/** What change-feed.ts and change-feeds.ts, one feed and the table of them all, know of each other. */
import type { ChangeToken } from '../engine/change-types.ts';
import type { Core } from '../engine/core.ts';
import type { Log } from '../wal/log.ts';
import type { IngestionWalk } from './change-feed-ingestion.ts';

/**
 * Where a feed stands, what it holds open, and how it is told what concerns it. Does not lead to the feed: the table that has
 * it would keep one alive that was lost.
 */
export class FeedPin {
  /** What it has looked at. What comes after it is kept for it. */
  token: ChangeToken;
  /** Set once it is to end. */
  error: Error | undefined;
  /** While it waits for more. */
  wake: (() => void) | undefined;
  /** While it shows an ingestion. */
  walk: IngestionWalk | undefined;
  /** Called when it ends. */
  left: () => void = () => undefined;

  constructor(token: ChangeToken) {
    this.token = token;
  }

  /** It has ended, or is to end: gives back what it holds open. Idempotent. */
  dispose(): void {
    this.walk?.close();
    this.walk = undefined;
    this.left();
  }
}

/** What a feed asks of the table. */
export interface FeedOwner {
  readonly core: Core;
  /** Up to where batches may be shown. */
  limit(durability: 'os' | 'disk', log: Log): number;
  /** From now on more is told to the pin; what was durable before is in `limit`. */
  waits(): void;
  /** What feeds have left behind goes. */
  trim(): void;
  /** The feed is to end with `error`, and needs nothing any more. */
  end(pin: FeedPin, error: Error): void;
  /** It has ended. */
  left(pin: FeedPin): void;
}
