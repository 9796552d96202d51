/**
 * One run of an MGA index against the model: random transactions that put, remove, read and scan side by side, with flushes, compactions, vacuums,
 * reindexes and reopens in between.
 */
import assert from 'node:assert/strict';
import { type Database, open, utf8 } from 'varve';
import { type MgaIndex, openInventory, openMgaIndex, type TransactionInventory } from 'varve/mga';
import { MemoryFs, Random } from 'varve/testing';
import { Model, MODEL_KEYS } from './mga-model.ts';
import { refusal } from './refusal.ts';

export class MgaRun {
  readonly #random: Random;
  readonly #model = new Model();
  readonly #fileSystem = new MemoryFs();
  #compared = 0;
  #db!: Database;
  #inventory!: TransactionInventory;
  #index!: MgaIndex<string>;

  /** Of the inventory, when another database keeps it. */
  #home: Database | undefined;
  readonly #isForeign: boolean;

  constructor(seed: number, isForeign = false) {
    this.#random = new Random(seed);
    this.#isForeign = isForeign;
  }

  async #open(): Promise<void> {
    this.#db = await open('/db', {
      fileSystem: this.#fileSystem,
      keyspaceDefaults: { memtableBytes: 65_536 },
      memtableBytesMax: 1 << 20,
    });
    if (this.#isForeign) this.#home = await open('/home', { fileSystem: this.#fileSystem });
    this.#inventory = await openInventory(this.#home ?? this.#db, { slots: 1024 });
    this.#index = await openMgaIndex(this.#db, 'i', { key: utf8, inventory: this.#inventory });
  }

  #active(): number[] {
    return [...this.#model.states].filter(([, state]) => state === 'active').map(([xid]) => xid);
  }

  /** How often what is seen was compared. */
  async run(steps: number): Promise<number> {
    await this.#open();
    for (let step = 0; step < steps; step++) await this.#step();
    await this.#check();
    for (const xid of this.#active()) this.#end(xid, 'committed');
    const report = await this.#index.vacuum();
    assert.equal(report.base, this.#inventory.next);
    await this.#check();
    // Nothing is left but what a later transaction sees.
    const reader = this.#begin();
    const stored = this.#db.keyspace(this.#db.keyspaces().find((name) => name.startsWith('varve.mga/'))!);
    const rows = this.#model.scan(reader).length;
    const heads = new Set(
      this.#model.lives.filter((life) => this.#model.sees(life, reader)).map(({ key }) => key),
    );
    assert.ok(stored.count() >= rows);
    assert.ok(stored.count() <= rows + heads.size);
    assert.deepEqual((await this.#db.verify({ full: true })).problems, []);
    await this.#close();
    return this.#compared;
  }

  async #close(): Promise<void> {
    await this.#db.close();
    await this.#home?.close();
  }

  #begin(): number {
    const xid = this.#inventory.begin();
    this.#model.states.set(xid, 'active');
    return xid;
  }

  #end(xid: number, state: 'committed' | 'aborted'): void {
    if (state === 'committed') this.#inventory.commit(xid);
    else this.#inventory.abort(xid);
    this.#model.end(xid, state);
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const active = this.#active();
    if (active.length < 2 || (active.length < 6 && random.oneIn(8))) {
      this.#begin();
      return;
    }
    const xid = random.pick(active);
    const what = random.below(100);
    if (what < 50) await this.#put(xid);
    else if (what < 75) await this.#remove(xid);
    else if (what < 83) this.#end(xid, 'committed');
    else if (what < 87) this.#end(xid, 'aborted');
    else if (what < 94) await this.#check();
    else if (what < 96) await this.#db.flush();
    else if (what < 97) await this.#db.compact();
    else if (what < 98) await this.#index.vacuum();
    else if (what < 99) await this.#dead();
    else await this.#other();
  }

  async #other(): Promise<void> {
    if (this.#random.oneIn(2)) {
      await this.#close();
      this.#model.reopen();
      await this.#open();
      return;
    }
    const source = this.#model.lives.map(({ key, tid, xmin, xmax, payload }) => ({
      key,
      tid,
      xmin,
      xmax,
      payload: utf8.encode(payload),
    }));
    assert.deepEqual(await this.#index.reindex(source), { entries: source.length });
  }

  async #put(xid: number): Promise<void> {
    const key = this.#random.pick(MODEL_KEYS);
    const tid = this.#random.below(5);
    const payload = this.#random.pick(['', 'x', 'y']);
    await this.#agree(this.#model.put(key, tid, xid, payload), () =>
      this.#index.put(key, tid, xid, utf8.encode(payload)),
    );
  }

  async #remove(xid: number): Promise<void> {
    const key = this.#random.pick(MODEL_KEYS);
    const tid = this.#random.below(5);
    await this.#agree(this.#model.remove(key, tid, xid), () => this.#index.remove(key, tid, xid));
  }

  async #agree(code: string | undefined, act: () => void): Promise<void> {
    if (code === undefined) act();
    else assert.equal((await refusal(act)).code, code);
  }

  async #dead(): Promise<void> {
    const tid = this.#random.below(5);
    await this.#index.removeDeadEntries([tid]);
    this.#model.lives = this.#model.lives.filter((life) => life.tid !== tid);
  }

  async #check(): Promise<void> {
    for (const xid of this.#active()) {
      this.#compared++;
      const expected = this.#model.scan(xid);
      const show = ({
        key,
        tid,
        payload,
      }: {
        key: string;
        tid: number | bigint;
        payload: Uint8Array;
      }): string => `${JSON.stringify(key)} ${tid} ${utf8.decode(payload)}`;
      assert.deepEqual([...this.#index.rangeScan({}, xid)].map(show), expected);
      assert.deepEqual([...this.#index.rangeScan({ reverse: true }, xid)].map(show), expected.toReversed());
      const later: string[] = [];
      for await (const entry of this.#index.rangeScan({ reverse: this.#random.oneIn(2) }, xid))
        later.push(show(entry));
      assert.deepEqual(later.toSorted(), expected.toSorted());
      const key = this.#random.pick(MODEL_KEYS);
      const ofKey = expected.filter((each) => each.startsWith(`${JSON.stringify(key)} `));
      assert.deepEqual(this.#index.entries(key, xid).map(show), ofKey);
      assert.deepEqual(
        this.#index.get(key, xid).map(String),
        ofKey.map((each) => each.split(' ')[1]),
      );
    }
  }
}
