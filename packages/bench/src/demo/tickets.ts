/**
 * What the killed process writes: tickets in batches of a hundred, keyed by (batch, seat). A batch is written whole or
 * not at all, and in order; `auditTickets` checks both after the crash.
 */
import { type Database, json, type Keyspace, tuple } from 'varve';

/** Tickets in one batch. */
export const BATCH_TICKETS = 100;

export type Ticket = { passenger: string; paid: number };
export type Tickets = Keyspace<[batch: number, seat: number], Ticket>;

export function ticketsOf(db: Database): Tickets {
  return db.keyspace('tickets', { key: tuple<[batch: number, seat: number]>(), value: json<Ticket>() });
}

export interface TicketAudit {
  /** Batches with all their tickets. */
  whole: number;
  /** Batches with only some of them. */
  partial: number;
  /** Numbers below the highest batch found of which there is no ticket at all. */
  missing: number;
}

/** Reads every ticket and counts the batches. */
export function auditTickets(keys: Iterable<readonly [batch: number, seat: number]>): TicketAudit {
  const seats = new Map<number, number>();
  let highest = 0;
  for (const [batch] of keys) {
    seats.set(batch, (seats.get(batch) ?? 0) + 1);
    if (batch > highest) highest = batch;
  }
  const audit: TicketAudit = { whole: 0, partial: 0, missing: highest - seats.size };
  for (const count of seats.values()) {
    if (count === BATCH_TICKETS) audit.whole++;
    else audit.partial++;
  }
  return audit;
}
