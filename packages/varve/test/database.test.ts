/** The database suite over memory, the node file system, a handle of another thread, and the simulated disk. */
import { SimFs } from 'varve/testing';
import { openAttached } from './attached-database.ts';
import { type DatabaseUnderTest, databaseSuite } from './database.suite.ts';
import { temporaryDirectory } from './temp-directory.ts';
import { ttlSuite } from './ttl.suite.ts';

const databases: readonly [string, () => DatabaseUnderTest][] = [
  ['in memory', () => ({ path: ':memory:' })],
  ['on the node file system', () => ({ path: temporaryDirectory() })],
  ['attached in another thread', () => ({ path: temporaryDirectory(), open: openAttached })],
  ['on a simulated disk', () => ({ path: '/db', options: { fileSystem: new SimFs() } })],
];
for (const [name, make] of databases) {
  databaseSuite(name, make);
  ttlSuite(name, make);
}
