/**
 * `refresh` beside a writer that goes on between any two calls of the reader on the file system. VARVE_SEEDS=n runs n seeds.
 */
import { type Database, type Keyspace, open, type Snapshot, utf8, VarveError } from 'varve';
import { Random, SimFs } from 'varve/testing';
import { describe, expect, test } from 'vitest';
import { FollowedWriter, keyOf, NAMES, small, type State } from './followed-writer.ts';

const seeds = Number(process.env['VARVE_SEEDS'] ?? 4);

const texts = (db: Database, name: string): Keyspace<string, string> =>
  db.keyspace(name, { key: utf8, value: utf8 });

/** Everything that the reader shows, in every way that it can be read. */
function shown(db: Database, snapshot?: Snapshot): State {
  const state: State = new Map();
  for (const name of db.keyspaces()) {
    const space = texts(db, name);
    const range = snapshot?.range(space) ?? space.range();
    const entries = [...range];
    const back = [...(snapshot?.range(space, { reverse: true }) ?? space.range({ reverse: true }))];
    expect(back.reverse()).toEqual(entries);
    const keys = Array.from({ length: 56 }, (_, number) => keyOf(number));
    const values = snapshot?.getMany(space, keys) ?? space.getMany(keys);
    for (let i = 1; i < entries.length; i++) expect(entries[i - 1]![0] < entries[i]![0]).toBe(true);
    const map = new Map(entries);
    for (const [index, key] of keys.entries()) {
      expect(values[index]).toBe(map.get(key));
      expect(snapshot === undefined ? space.get(key) : snapshot.get(space, key)).toBe(map.get(key));
    }
    state.set(name, map);
  }
  return state;
}

interface Held {
  readonly snapshot: Snapshot;
  readonly state: State;
}

describe('a read-only database beside a writer', () => {
  test.each(Array.from({ length: seeds }, (_, index) => index + 1))(
    'shows exactly the states that were there, seed %i',
    async (seed) => {
      const random = new Random(seed);
      const writer = new FollowedWriter(random, new SimFs());
      await writer.open();
      writer.act(20);
      writer.handOver();
      let isRefreshing = false;
      let writesLeft = 0;
      const rate = random.pick([2, 10, 60]);
      // Then not every table can be kept open, and reads may say that they came too late; never anything wrong.
      const isLimited = random.oneIn(4);
      const look = (read: () => void): void => {
        try {
          read();
        } catch (error) {
          if (!isLimited || !(error instanceof VarveError) || error.code !== 'STALE') throw error;
          tooLate++;
        }
      };
      let tooLate = 0;
      const fs = writer.readerFs(() => {
        if (!isRefreshing || writesLeft <= 0 || !random.oneIn(rate) || writer.isBusy) return;
        writer.isBusy = true;
        // Much at once: what the reader has just looked at may be flushed, compacted and recycled by its next call.
        const writes = random.oneIn(3) ? random.below(100) : random.below(3);
        writesLeft -= writes;
        writer.act(writes);
        if (random.oneIn(2)) writer.finish();
        writer.isBusy = false;
      });
      const reader = await open('/db', {
        ...small,
        ...(isLimited ? { openFilesMax: 8 } : {}),
        reads: random.pick(['pread', 'direct', 'mmap'] as const),
        fileSystem: fs,
        readOnly: true,
      });
      let state = writer.stateAt(reader.stats().sequence);
      let sequence = reader.stats().sequence;
      expect(shown(reader)).toEqual(state);
      const held: Held[] = [];
      for (let round = 0; round < 25; round++) {
        const isLong = random.oneIn(4);
        // What the writer ingests goes on.
        await new Promise<void>((resolve) => void setImmediate(resolve));
        writer.act(random.below(isLong ? 200 : 15));
        if (random.oneIn(3)) writer.finish();
        if (random.oneIn(10)) {
          if (random.oneIn(2)) await writer.settle(writer.db.close());
          else writer.kill();
          await writer.open();
        }
        const from = writer.handedOver;
        writesLeft = 200;
        isRefreshing = true;
        const report = await reader.refresh();
        isRefreshing = false;
        expect(report.sequence).toBeGreaterThanOrEqual(Math.max(from, sequence));
        expect(report.sequence).toBeLessThanOrEqual(writer.written);
        state = writer.stateAt(report.sequence, state, sequence);
        sequence = report.sequence;
        expect(reader.stats().sequence).toBe(sequence);
        const names = NAMES.filter((name) => state.has(name));
        expect(reader.keyspaces()).toEqual(names);
        // What was not read before the writer goes on has to be there all the same.
        if (random.oneIn(2)) look(() => expect(shown(reader)).toEqual(state));
        // The writer goes on: what the reader shows stays.
        writer.act(random.below(40));
        if (random.oneIn(3)) writer.finish();
        look(() => expect(shown(reader)).toEqual(state));
        if (random.oneIn(3)) held.push({ snapshot: reader.snapshot(), state: state });
        if (held.length > 0 && random.oneIn(4))
          held.splice(random.below(held.length), 1)[0]!.snapshot.close();
        for (const { snapshot, state: then } of held) {
          look(() => {
            for (const [name, space] of shown(reader, snapshot)) {
              // A keyspace that was dropped and made again is another one, which was empty then.
              if (space.size > 0 || !then.has(name)) expect(space).toEqual(then.get(name) ?? new Map());
            }
          });
        }
      }
      expect(writer.changedByReader).toEqual([]);
      expect(writer.interruptions).toBeGreaterThan(100);
      if (!isLimited) expect(tooLate).toBe(0);
      await reader.close();
    },
  );
});
