import { expect, test } from 'vitest';
import { RateLimiter } from './rate-limiter.ts';

const MS = 1_000_000n;
const MB = 1_000_000;

function limiter(bytesPerSecond: number): RateLimiter {
  const made = new RateLimiter();
  made.bytesPerSecond = bytesPerSecond;
  return made;
}

test('without a limit nobody pauses', () => {
  for (const rate of [Number.POSITIVE_INFINITY, 0, Number.NaN]) {
    expect(limiter(rate).take(1000 * MB, 0n)).toBe(0);
  }
});

test('after a rest 50 ms of bytes are free, what is beyond is paid for by a pause', () => {
  const here = limiter(MB);
  const now = 1000n * MS;
  expect(here.take(50_000, now)).toBe(0);
  expect(here.take(10_000, now)).toBe(10);
  expect(here.take(10_000, now)).toBe(20);
});

test('who pauses as long as it is told goes at the rate', () => {
  const here = limiter(10 * MB);
  let now = 1000n * MS;
  const start = now;
  let bytes = 0;
  for (let i = 0; i < 1000; i++) {
    bytes += 64 * 1024;
    now += BigInt(Math.round(here.take(64 * 1024, now) * 1e6));
  }
  const seconds = Number(now - start) / 1e9;
  expect(bytes / seconds / MB).toBeGreaterThan(10);
  expect(bytes / seconds / MB).toBeLessThan(10.2);
});

test('several takers share the rate', () => {
  const here = limiter(10 * MB);
  const takers = [1, 2, 3].map(() => ({ other: new RateLimiter(here.memory), at: 1000n * MS, bytes: 0 }));
  const end = 3000n * MS;
  for (;;) {
    const next = takers.reduce((first, each) => (each.at < first.at ? each : first));
    if (next.at >= end) break;
    next.bytes += 64 * 1024;
    next.at += BigInt(Math.round(next.other.take(64 * 1024, next.at) * 1e6));
  }
  const total = takers.reduce((sum, { bytes }) => sum + bytes, 0);
  expect(total / 2 / MB).toBeGreaterThan(9.8);
  expect(total / 2 / MB).toBeLessThan(10.6);
  for (const { bytes } of takers) expect(bytes).toBeGreaterThan(total / 4);
});

test('what was not used is forgotten but for the burst', () => {
  const here = limiter(MB);
  here.take(50_000, 1000n * MS);
  expect(here.take(60_000, 3_600_000n * MS)).toBe(10);
});

test('a change of the rate is seen by all who share the memory', () => {
  const here = limiter(MB);
  const other = new RateLimiter(here.memory);
  here.bytesPerSecond = 2 * MB;
  expect(other.bytesPerSecond).toBe(2 * MB);
  expect(other.take(200_000, 1000n * MS)).toBe(50);
});
