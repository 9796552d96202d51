/**
 * Looks, in an attached thread, at keys that the owner writes over and over in transactions larger than a batch: at any one
 * sequence all of them, in both keyspaces, are of one round. Writes a key of its own beside them.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, VarveError } from 'varve';
import { codecs, entries, putAll } from './large-world.ts';
import { key } from './small-tables.ts';

const { handle, keys } = workerData as { handle: unknown; keys: number };
const db = await attach(handle);
const [a, b, stop] = ['a', 'b', 'stop'].map((name) => db.keyspace(name, codecs)) as [
  ReturnType<typeof db.keyspace<string, string>>,
  ReturnType<typeof db.keyspace<string, string>>,
  ReturnType<typeof db.keyspace<string, string>>,
];
const wrong: string[] = [];
const seen = new Set<string>();

function look(): void {
  using snapshot = db.snapshot();
  const round = snapshot.get(a, key(0))!;
  for (const data of [a, b]) {
    const values = [...snapshot.range(data, { lt: key(keys) })];
    if (values.length !== keys || values.some(([, value]) => value !== round))
      wrong.push(`at ${snapshot.sequence} keyspace ${data.name} is not all of round ${round}`);
  }
  seen.add(round);
}

const tx = db.begin();
putAll(tx, a, entries(0, 400, 'too large'));
let refused = '';
try {
  await tx.commit({ durability: 'memory' });
} catch (error) {
  if (error instanceof VarveError) refused = `${error.code}: ${error.message}`;
}
tx.rollback();
parentPort!.postMessage(refused);
for (let i = 0; stop.get('stop') === undefined && wrong.length < 5; i++) {
  look();
  a.put('own', String(i));
  await new Promise(setImmediate);
}
look();
parentPort!.postMessage({ rounds: seen.size, wrong });
await db.close();
