/** A thread that makes itself less urgent does so for itself alone. */
import { once } from 'node:events';
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';

const code = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { readlinkSync } = require('node:fs');
  const { getPriority } = require('node:os');
  import(workerData).then(({ lowerPriority }) => {
    lowerPriority(10);
    parentPort.postMessage(getPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1))));
  });
`;

test.runIf(process.platform === 'linux')('a thread lowers its own priority and no other', async () => {
  const before = getPriority(process.pid);
  const worker = new Worker(code, { eval: true, workerData: new URL('priority.ts', import.meta.url).href });
  const ended = once(worker, 'exit');
  const [priority] = (await once(worker, 'message')) as [number];
  await ended;
  expect(priority).toBe(Math.min(19, Math.max(before, 10)));
  expect(getPriority(process.pid)).toBe(before);
});
