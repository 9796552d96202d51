import { expect, test } from 'vitest';
import { JobProgress } from './job-progress.ts';

test('bytes are counted in KiB, what is left of one is kept', () => {
  const memory = JobProgress.memory();
  const [job, owner] = [new JobProgress(memory), new JobProgress(memory)];
  job.pass(1000);
  expect(owner.doneBytes).toBe(0);
  job.pass(30);
  expect(owner.doneBytes).toBe(1024);
  for (let i = 0; i < 100; i++) job.pass(100);
  expect(owner.doneBytes).toBe(10 * 1024);
});

test('a job of more than 2 GiB does not run over', () => {
  const memory = JobProgress.memory();
  const job = new JobProgress(memory);
  for (let i = 0; i < 6; i++) job.pass(1024 ** 3);
  expect(job.doneBytes).toBe(6 * 1024 ** 3);
});

test('files are seen by the owner as soon as they are announced', () => {
  const memory = JobProgress.memory();
  const [job, owner] = [new JobProgress(memory), new JobProgress(memory)];
  expect(owner.created()).toEqual([]);
  job.creates(7);
  job.creates(9);
  expect(owner.created()).toEqual([7, 9]);
});

test('of very many files the first are remembered', () => {
  const job = new JobProgress(JobProgress.memory());
  for (let number = 1; number <= 3000; number++) job.creates(number);
  expect(job.created()).toHaveLength(1022);
  expect(job.created().at(-1)).toBe(1022);
});
