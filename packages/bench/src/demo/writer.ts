/**
 * The process that the demo kills: sells tickets in batches, as fast as it can and without an end. It tells its parent
 * the number of a batch once the database has promised that the batch survives this process (durability `os`).
 *
 * Started by crash.ts with `fork`: argument 1 is the database directory. Ends by itself when the parent is gone.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { open } from 'varve';
import { BATCH_TICKETS, ticketsOf } from './tickets.ts';

const path = process.argv[2];
if (path === undefined || process.send === undefined) {
  throw new Error('started by the demo, with the database directory, and with a channel to report on');
}
process.on('disconnect', () => process.exit());

const db = await open(path);
const tickets = ticketsOf(db);
const batch = db.batch();
for (let number = 1; ; number++) {
  for (let seat = 1; seat <= BATCH_TICKETS; seat++) {
    batch.put(tickets, [number, seat], { passenger: `passenger ${number}-${seat}`, paid: 100 + seat });
  }
  await db.write(batch, { durability: 'os' });
  process.send(number);
  // Lets the message out before the next batch.
  await turn();
}
