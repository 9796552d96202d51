/**
 * Entry of the demo, what `npm start` shows: real data stored, queried, updated, a writer killed, the database opened
 * again and checked, then a short report. Takes a directory as its only argument (./data/demo by default) and ends by
 * itself; exit code 1 when anything was lost.
 */
import { resolve } from 'node:path';
import { VarveError } from 'varve';
import { showPath } from '../format.ts';
import { ForeignDirectoryError } from '../own-directory.ts';
import { runDemo } from './demo.ts';

const path = resolve(process.argv[2] ?? 'data/demo');
try {
  process.exitCode = (await runDemo(path)) ? 0 : 1;
} catch (error) {
  if (error instanceof ForeignDirectoryError) {
    console.error(`demo: ${error.message}`);
    process.exitCode = 2;
  } else if (error instanceof VarveError) {
    console.error(`demo: ${error.code}: ${error.message} (${showPath(path)})`, error.context);
    process.exitCode = 1;
  } else {
    throw error;
  }
}
