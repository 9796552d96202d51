/**
 * `npm run sim -- keyspaces [--count 10000] [--reads MODE] [--memtable TYPE]`: that many keyspaces in a database on disk with
 * the default memory: made, a key written to each, flushed, reopened and read. Tells how long each step took.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, utf8 } from 'varve';
import { openSimulated } from 'varve/testing';
import { type TextKeyspace, Violation } from '../check.ts';
import type { Variants } from '../variants.ts';

/** Throws a Violation when a key is not there, or when a write was refused. */
export async function runKeyspaces(
  options: Variants & { readonly count: number; readonly log: (line: string) => void },
): Promise<void> {
  const { count, reads = 'pread', memtable = 'btree', log } = options;
  const root = mkdtempSync(join(tmpdir(), 'varve-keyspaces-'));
  const reopen = (): Promise<Database> => openSimulated(join(root, 'db'), { reads }, { memtable });
  let since = performance.now();
  const told = (step: string): void => {
    const now = performance.now();
    log(`${step}: ${((now - since) / 1000).toFixed(1)} s`);
    since = now;
  };
  let db = await reopen();
  try {
    for (let i = 0; i < count; i++) keyspaceOf(db, i).put('key', `value ${i}`);
    const { delayed, blocked, failed } = db.stats().pressure;
    told(`${count} keyspaces made and written to, ${delayed + blocked + failed} writes held up`);
    checkAll(db, count, 'in memory');
    await db.flush();
    told('flushed');
    checkAll(db, count, 'in tables');
    told('read');
    await db.close();
    db = await reopen();
    told('closed and opened');
    checkAll(db, count, 'after opening');
    told('read');
    if (db.keyspaces().length !== count) throw new Violation(`there are ${db.keyspaces().length} keyspaces`);
  } finally {
    await db.close();
    rmSync(root, { recursive: true, force: true });
  }
}

function keyspaceOf(db: Database, number: number): TextKeyspace {
  return db.keyspace(`keyspace ${number}`, { key: utf8, value: utf8 });
}

function checkAll(db: Database, count: number, where: string): void {
  for (let i = 0; i < count; i++) {
    const got = keyspaceOf(db, i).get('key');
    if (got !== `value ${i}`) throw new Violation(`keyspace ${i} ${where}: got ${String(got)}`);
  }
}
