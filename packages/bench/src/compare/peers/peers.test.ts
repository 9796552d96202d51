import { expect, test } from 'vitest';
import { adapters, nodeEngines, openStore, UnavailableError } from './peer.ts';
import { settingsAt, storeSuite } from './store.suite.ts';

for (const engine of nodeEngines.filter((name) => name !== 'varve')) storeSuite(engine);

test('an engine that cannot be imported is unavailable, with what to do', async () => {
  const known = { ...adapters, lmdb: () => Promise.reject(new Error("Cannot find package 'lmdb'\nmore")) };
  const opening = openStore('lmdb', settingsAt('nowhere'), known);
  await expect(opening).rejects.toThrow(UnavailableError);
  await expect(openStore('lmdb', settingsAt('nowhere'), known)).rejects.toThrow(
    'Cannot find package \'lmdb\'; run "npm install" in the checkout',
  );
});
