/** The database suite over memory, the node file system, a handle of another thread, and the simulated disk. */
import { SimFs } from 'varve/testing';
import { openAttached } from './attached-database.ts';
import { databaseSuite } from './database.suite.ts';
import { temporaryDirectory } from './temp-directory.ts';

databaseSuite('in memory', () => ({ path: ':memory:' }));
databaseSuite('on the node file system', () => ({ path: temporaryDirectory() }));
databaseSuite('attached in another thread', () => ({ path: temporaryDirectory(), open: openAttached }));
databaseSuite('on a simulated disk', () => ({ path: '/db', options: { fileSystem: new SimFs() } }));
