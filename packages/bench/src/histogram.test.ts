import { describe, expect, test } from 'vitest';
import { Histogram } from './histogram.ts';
import { Random } from './random.ts';

describe('a histogram', () => {
  test('is exact below 128 nanoseconds', () => {
    const histogram = new Histogram();
    for (let ns = 1; ns <= 100; ns++) histogram.record(ns);
    expect(histogram.count).toBe(100);
    expect(histogram.percentile(0.5)).toBe(50);
    expect(histogram.percentile(0.99)).toBe(99);
    expect(histogram.percentile(1)).toBe(100);
  });

  test('gives percentiles that are never too low and at most 0.8 % too high, over eleven powers of ten', () => {
    const random = new Random(7);
    const histogram = new Histogram();
    const values: number[] = [];
    for (let i = 0; i < 20_000; i++) {
      const value = Math.floor(10 ** ((random.below(1_000_000) / 1_000_000) * 11));
      values.push(value);
      histogram.record(value);
    }
    values.sort((a, b) => a - b);
    for (const fraction of [0.001, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = values[Math.ceil(values.length * fraction) - 1]!;
      expect(histogram.percentile(fraction)).toBeGreaterThanOrEqual(exact);
      expect(histogram.percentile(fraction)).toBeLessThanOrEqual(exact * 1.008);
    }
    expect(histogram.max).toBe(values.at(-1));
  });

  test('puts every power of two, and the values beside it, into buckets in rising order', () => {
    let last = 0;
    for (let exponent = 1; exponent < 42; exponent++) {
      for (const value of [2 ** exponent - 1, 2 ** exponent, 2 ** exponent + 1]) {
        const histogram = new Histogram();
        histogram.record(value);
        histogram.record(2 ** 43);
        const bucket = histogram.percentile(0.5);
        expect(bucket).toBeGreaterThanOrEqual(Math.max(last, value));
        expect(bucket).toBeLessThanOrEqual(Math.ceil(value * 1.008));
        last = bucket;
      }
    }
  });

  test('counts a value as often as its weight says', () => {
    const histogram = new Histogram();
    histogram.record(10, 98);
    histogram.record(1_000, 2);
    expect(histogram.count).toBe(100);
    expect(histogram.percentile(0.98)).toBe(10);
    expect(histogram.percentile(0.99)).toBe(1_000);
  });

  test('accepts a clock that ran back and an hour that never ends', () => {
    const histogram = new Histogram();
    histogram.record(-5);
    histogram.record(1e18);
    expect(histogram.count).toBe(2);
    expect(histogram.percentile(0.5)).toBe(0);
    expect(histogram.percentile(1)).toBeGreaterThan(2 ** 41);
  });

  test('says 0 when it is empty', () => {
    expect(new Histogram().percentile(0.5)).toBe(0);
  });
});
