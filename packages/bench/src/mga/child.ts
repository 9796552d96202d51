/** A child process of `mga`: fills an index, reads it, sends the rates, and ends. Its argument is the job. */
import { type Bytes, open } from 'varve';
import { type MgaIndex, openInventory, openMgaIndex } from 'varve/mga';
import { setImmediate as turn } from 'node:timers/promises';
import { Histogram } from '../histogram.ts';
import { KeyBuffer, scatterStep } from '../keys.ts';
import { Random } from '../random.ts';
import type { Job, Rate, Rates } from './job.ts';

const KEY_SIZE = 16;
const SCAN_ENTRIES = 1000;
/** Rows that one transaction puts, and operations between two turns of the event loop. */
const TRANSACTION_ROWS = 100;
/** One operation of so many is timed by itself. */
const SAMPLED = 8;

async function timed(count: number, operate: (i: number) => void): Promise<Rate> {
  const histogram = new Histogram();
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    if (i % SAMPLED === 0) {
      const before = performance.now();
      operate(i);
      histogram.record((performance.now() - before) * 1e6);
    } else operate(i);
    if (i % TRANSACTION_ROWS === 0) await turn();
  }
  return { perSecond: (count / (performance.now() - start)) * 1000, p99: histogram.percentile(0.99) };
}

async function measure({ path, num, reads, scans, payload, seed }: Job): Promise<Rates> {
  const db = await open(path, { memoryBytesMax: 384 * 2 ** 20, cacheBytesMax: 256 * 2 ** 20 });
  const inventory = await openInventory(db);
  const index: MgaIndex<Bytes> = await openMgaIndex(db, 'bench', { inventory, keyBytes: KEY_SIZE });
  const columns = new Uint8Array(payload);
  const key = new KeyBuffer(KEY_SIZE);
  const random = new Random(seed);
  const step = scatterStep(num);
  const rates: Record<string, Rate> = {};

  // Even numbers are keys, odd ones are missing.
  let xid = inventory.begin();
  rates['insert'] = await timed(num, (i) => {
    const row = (i * step) % num;
    key.set(row * 2);
    index.put(key.bytes, row, xid, columns);
    if (i % TRANSACTION_ROWS !== TRANSACTION_ROWS - 1) return;
    inventory.commit(xid);
    xid = inventory.begin();
  });
  inventory.commit(xid);
  const reader = inventory.begin();
  const readAll = async (state: string): Promise<void> => {
    let found = 0;
    for (const part of [Math.ceil(reads / 10), reads]) {
      // The first tenth compiles the code and warms the cache.
      rates[`hit, ${state}`] = await timed(part, () => {
        key.set(random.below(num) * 2);
        found += index.get(key.bytes, reader).length;
      });
      rates[`miss, ${state}`] = await timed(part, () => {
        key.set(random.below(num) * 2 + 1);
        found -= index.get(key.bytes, reader).length;
      });
    }
    if (found !== reads + Math.ceil(reads / 10)) throw new Error(`${found} rows were found`);
    for (const part of [Math.ceil(scans / 10), scans]) {
      rates[`scan of ${SCAN_ENTRIES}, ${state}`] = await timed(part, () => {
        key.set(random.below(num - SCAN_ENTRIES) * 2);
        const cursor = index.rangeScan({ gte: key.bytes, limit: SCAN_ENTRIES }, reader).cursor();
        let sum = 0;
        while (cursor.next()) sum += cursor.tid as number;
        cursor.close();
        if (sum === 0) throw new Error('nothing was scanned');
      });
    }
  };
  await readAll('as written');
  const start = performance.now();
  await index.vacuum();
  rates['vacuum, entries'] = { perSecond: (num / (performance.now() - start)) * 1000, p99: 0 };
  await readAll('vacuumed');
  // The engine under the same load, to know what the index adds: the same keys, values as long, as many commits.
  const bare = db.keyspace('bare');
  const value = new Uint8Array(13 + payload);
  rates['bare putIfAbsent'] = await timed(num, (i) => {
    key.set(((i * step) % num) * 2);
    bare.putIfAbsent(key.bytes, value);
    if (i % TRANSACTION_ROWS === 0) inventory.commit(inventory.begin());
  });
  await db.compact({ keyspace: 'bare' });
  for (const part of [Math.ceil(scans / 10), scans]) {
    rates[`bare cursor, ${SCAN_ENTRIES} moves`] = await timed(part, () => {
      key.set(random.below(num - SCAN_ENTRIES) * 2);
      const cursor = bare.range({ gte: key.bytes, limit: SCAN_ENTRIES }).cursor();
      let moves = 0;
      while (cursor.next()) moves++;
      cursor.close();
      if (moves !== SCAN_ENTRIES) throw new Error(`${moves} entries were there`);
    });
  }
  await db.close();
  return rates;
}

const rates = await measure(JSON.parse(process.argv[2]!) as Job);
process.send?.(rates, () => process.disconnect());
