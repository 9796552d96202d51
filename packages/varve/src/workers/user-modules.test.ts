import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryDirectory } from '../../test/temp-directory.ts';
import { UserModules } from './user-modules.ts';

const CODE = "export const code = { name: 'code' };";

function place(): { path: string; url: string; find: (modules: UserModules) => unknown } {
  const directory = temporaryDirectory();
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'code.mjs');
  const { href: url } = pathToFileURL(path);
  const source = { name: 'code', version: '1', url, isBuiltIn: false, id: 1 };
  return { path, url, find: (modules) => modules.find(source) };
}

test('a module that could not be imported is tried again for the next job', async () => {
  const { path, url, find } = place();
  const modules = new UserModules();
  await modules.load(modules.missing([url]));
  expect(() => find(modules)).toThrow('code.mjs');
  expect(modules.missing([url])).toEqual([url]);
  writeFileSync(path, CODE);
  await modules.load(modules.missing([url]));
  expect(find(modules)).toMatchObject({ name: 'code' });
  expect(modules.missing([url])).toEqual([]);
});

test('a module that is late is not waited for again, and is there when it has come', async () => {
  const { path, url, find } = place();
  const gate: { open?: () => void } = {};
  Object.assign(globalThis, { gate });
  writeFileSync(path, `await new Promise((resolve) => { globalThis.gate.open = resolve; });\n${CODE}`);
  const modules = new UserModules(0);
  await modules.load([url]);
  expect(() => find(modules)).toThrow('took longer than 0 ms');
  expect(modules.missing([url])).toEqual([]);
  const coming = import(url);
  while (gate.open === undefined) await new Promise((resolve) => setImmediate(resolve));
  gate.open();
  await coming;
  await new Promise((resolve) => setImmediate(resolve));
  expect(find(modules)).toMatchObject({ name: 'code' });
  Reflect.deleteProperty(globalThis, 'gate');
});
