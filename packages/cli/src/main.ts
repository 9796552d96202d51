#!/usr/bin/env node
/**
 * The `varve` command as a process: hands arguments and streams to run.ts and leaves with its exit code.
 *
 * A reader that goes away (`varve scan ./data | head`) ends the command quietly.
 */
import { run } from './run.ts';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
});
