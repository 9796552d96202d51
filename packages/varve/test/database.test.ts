/** The database suite over memory, the node file system, and the simulated disk. */
import { SimFs } from 'varve/testing';
import { databaseSuite } from './database.suite.ts';
import { temporaryDirectory } from './temp-directory.ts';

databaseSuite('in memory', () => ({ path: ':memory:' }));
databaseSuite('on the node file system', () => ({ path: temporaryDirectory() }));
databaseSuite('on a simulated disk', () => ({ path: '/db', options: { fileSystem: new SimFs() } }));
