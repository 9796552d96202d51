/**
 * Reads, in an attached thread, keys that the owner ingests over and over: at any one sequence all of them are of one round.
 * Writes keys of its own beside and between them, which stay.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { attach, utf8 } from 'varve';
import { key } from './small-tables.ts';

const { handle, index, keys } = workerData as { handle: unknown; index: number; keys: number };
const db = await attach(handle);
const data = db.keyspace('data', { key: utf8, value: utf8 });
const stop = db.keyspace('stop', { key: utf8, value: utf8 });
const wrong: string[] = [];
const seen = new Set<string>();
let last = -1;
let written = 0;
const own = `${key(keys >> 1)} of ${index}`;

function look(): void {
  const snapshot = db.snapshot();
  const values = new Map(snapshot.range(data));
  const first = values.get(key(0));
  for (let i = 0; i < keys; i++) {
    const value = values.get(key(i));
    if (value !== first) wrong.push(`at ${snapshot.sequence} key ${i} is of ${value}, the first of ${first}`);
  }
  const many = snapshot.getMany(data, [key(3), key(keys - 1), own]);
  if (many[0] !== first || many[1] !== first) wrong.push(`getMany gives ${many.join()}, a walk ${first}`);
  if (snapshot.get(data, key(5)) !== first) wrong.push(`get gives another round than ${first}`);
  if (written > 0 && many[2] !== String(written)) wrong.push(`own key is ${many[2]}, not ${written}`);
  if (Number(first) < last) wrong.push(`round ${first} after ${last}`);
  last = Number(first);
  seen.add(first!);
  snapshot.close();
}

parentPort!.postMessage('ready');
while (stop.get('stop') === undefined && wrong.length < 5) {
  look();
  data.put(own, String(++written));
  data.put(`z${index}`, 'beside');
  look();
  await new Promise(setImmediate);
}
look();
parentPort!.postMessage({ rounds: seen.size, wrong });
await db.close();
