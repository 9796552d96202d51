/**
 * What every store of the comparison must do, with 200 keys. A store that cannot be loaded here passes: the comparison
 * leaves it out as well.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Store, Writes } from '../../store.ts';
import { type NodeEngine, openStore, UnavailableError } from './peer.ts';
import type { StoreSettings } from './settings.ts';

const KEYS = 200;
const keyOf = (i: number): Uint8Array => Buffer.from(String(i).padStart(16, '0'));
const valueOf = (i: number, round = 0): Uint8Array => Buffer.from(`value ${i} of round ${round}`);
const text = (bytes: Uint8Array | undefined): string | undefined =>
  // The lent buffer of lmdb is longer than its length says, so its bytes are not copied as a whole.
  bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();

function writes(from: number, to: number, round = 0): Writes {
  const numbers = Array.from({ length: to - from }, (_, i) => from + i);
  return { keys: numbers.map(keyOf), values: numbers.map((i) => valueOf(i, round)), count: numbers.length };
}

export function settingsAt(path: string): StoreSettings {
  return { path, cacheBytes: 8 * 2 ** 20, memtableBytes: 2 ** 20, synced: false, handOver: 'tick' };
}

export function storeSuite(engine: NodeEngine): void {
  describe(`${engine} as a store`, () => {
    let path = '';
    beforeEach(() => {
      path = mkdtempSync(join(tmpdir(), 'varve-peer-'));
    });
    afterEach(() => rmSync(path, { recursive: true }));

    /** The engine, or undefined where it cannot be loaded; a machine without one must still pass. */
    async function tryOpen(more: Partial<StoreSettings> = {}): Promise<Store | undefined> {
      try {
        return await openStore(engine, { ...settingsAt(path), ...more });
      } catch (error) {
        if (error instanceof UnavailableError) return undefined;
        throw error;
      }
    }

    test('finds what was put one by one and in batches, and nothing else', async () => {
      const store = await tryOpen();
      if (store === undefined) return;
      try {
        await store.putEach(writes(0, KEYS / 2));
        await store.putBatch(writes(KEYS / 2, KEYS));
        await store.put(keyOf(3), valueOf(3, 1));
        await store.sync();
        expect(text(store.get(keyOf(3)))).toBe(text(valueOf(3, 1)));
        expect(text(store.get(keyOf(KEYS - 1)))).toBe(text(valueOf(KEYS - 1)));
        expect(store.get(keyOf(KEYS))).toBeUndefined();
        if (store.getBorrowed !== undefined) {
          expect(text(store.getBorrowed(keyOf(5)))).toBe(text(valueOf(5)));
          expect(store.getBorrowed(keyOf(KEYS))).toBeUndefined();
        }
        expect(await store.getMany([keyOf(1), keyOf(KEYS + 1), keyOf(2)])).toBe(2);
        expect(store.settings.length).toBeGreaterThan(0);
      } finally {
        await store.close();
      }
    });

    test('scans in both directions and from a key on, also after a compaction', async () => {
      const store = await tryOpen();
      if (store === undefined) return;
      try {
        await store.putBatch(writes(0, KEYS));
        await store.flush();
        await store.putBatch(writes(0, KEYS / 2, 1));
        await store.compact();
        for (const form of ['cursor', 'objects'] as const) {
          for (const reverse of [false, true]) {
            const scan = store.scan(reverse, form);
            expect(await scan.next(150)).toBe(150);
            expect(await scan.next(150)).toBe(KEYS - 150);
            expect(await scan.next(150)).toBe(0);
            await scan.close();
          }
          expect(await store.seekScan(keyOf(20), 100, form)).toBe(100);
          expect(await store.seekScan(keyOf(KEYS - 10), 100, form)).toBe(10);
          expect(await store.seekScan(keyOf(KEYS), 100, form)).toBe(0);
        }
        expect(text(store.get(keyOf(7)))).toBe(text(valueOf(7, 1)));
      } finally {
        await store.close();
      }
    });

    test('deletes one by one and in batches', async () => {
      const store = await tryOpen();
      if (store === undefined) return;
      try {
        await store.putBatch(writes(0, KEYS));
        await store.deleteEach(writes(0, 10));
        await store.deleteBatch(writes(10, 20));
        expect(await store.getMany(Array.from({ length: KEYS }, (_, i) => keyOf(i)))).toBe(KEYS - 20);
      } finally {
        await store.close();
      }
    });

    test('puts that wait for the disk are there', async () => {
      const store = await tryOpen({ synced: true });
      if (store === undefined) return;
      try {
        await Promise.all([1, 2, 3].map((i) => store.putSynced(keyOf(i), valueOf(i))));
        expect(await store.getMany([1, 2, 3].map(keyOf))).toBe(3);
      } finally {
        await store.close();
      }
    });
  });
}
