/**
 * `npm run check`: builds, then runs every static check side by side and prints each one's result.
 * Output of a check is shown only when it fails. All of them run, so one round shows everything there is to fix.
 */
import { spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';

const first = ['build'];
const rest = ['types:test', 'lint', 'format', 'layers', 'dead', 'rules', 'lock', 'docs', 'check:package'];
const parallelMax = 2;
const failed = [];

function run(name) {
  const startMs = Date.now();
  return new Promise((done) => {
    const child = spawn('npm', ['run', '-s', name], {
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    const output = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => output.push(Buffer.from(String(error))));
    child.on('close', (code) => {
      const seconds = ((Date.now() - startMs) / 1000).toFixed(1);
      console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)`);
      if (code !== 0) {
        failed.push(name);
        // oxlint colours its output even into a pipe.
        const text = stripVTControlCharacters(Buffer.concat(output).toString());
        console.log(text.trimEnd().replace(/^/gm, '     '));
      }
      done();
    });
  });
}

for (const name of first) await run(name);
const queue = rest[Symbol.iterator]();
await Promise.all(
  Array.from({ length: parallelMax }, async () => {
    for (const name of queue) await run(name);
  }),
);
if (failed.length > 0) console.log(`check: failed: ${failed.join(', ')}; run one alone with: npm run <name>`);
else console.log('check: all passed');
process.exitCode = failed.length > 0 ? 1 : 0;
