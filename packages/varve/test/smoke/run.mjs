/**
 * Smoke test of what is published: the built files on the Node at hand, down to the oldest one we promise.
 * Run it outside npm, whose `node` is the one of the tool chain: `node --test packages/varve/test/smoke/run.mjs`.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const folder = new URL('../../', import.meta.url);
const dist = new URL('dist/', folder);

test('every entry in exports loads', async () => {
  const { exports } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
  for (const { default: entry } of Object.values(exports)) {
    assert.equal(typeof (await import(new URL(entry, folder).href)), 'object', entry);
  }
});

test('the entry has exports', async () => {
  const varve = await import(new URL('index.js', dist).href);
  assert.notDeepEqual(Object.keys(varve), []);
});
