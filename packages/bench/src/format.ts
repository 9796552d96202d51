/**
 * Numbers as people read them: counts with separators, bytes in decimal megabytes, durations in the unit that fits.
 * Used by the bench and the demo.
 */
import { relative } from 'node:path';

/** An absolute path as one would type it here: relative when it lies below the working directory. */
export function showPath(path: string): string {
  const below = relative('.', path);
  if (below === '') return '.';
  return below.startsWith('..') ? path : `./${below}`;
}

/** 1234567 -> "1,234,567". */
export function formatCount(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** 116000000 -> "116.0 MB"; decimal units (1 MB = 1,000,000 bytes). */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${Math.round(bytes)} B`;
  if (bytes < 999_950) return `${(bytes / 1e3).toFixed(1)} kB`;
  if (bytes < 999_950_000) return `${(bytes / 1e6).toFixed(1)} MB`;
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

/** 1920 -> "1.92 µs"; three digits, in the unit that fits. */
export function formatNanoseconds(ns: number): string {
  if (ns < 999.5) return `${Math.round(ns)} ns`;
  if (ns < 999_500) return `${threeDigits(ns / 1e3)} µs`;
  if (ns < 999_500_000) return `${threeDigits(ns / 1e6)} ms`;
  return `${threeDigits(ns / 1e9)} s`;
}

/** 231480 per second -> "231 thousand/s"; rough, for prose. */
export function formatRate(perSecond: number): string {
  if (perSecond < 999.5) return `${Math.round(perSecond)}/s`;
  if (perSecond < 999_500) return `${threeDigits(perSecond / 1e3)} thousand/s`;
  return `${threeDigits(perSecond / 1e6)} million/s`;
}

function threeDigits(value: number): string {
  return value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

/** 201326592 -> "192 MiB"; binary units, for sizes that are set as powers of two. */
export function formatBinaryBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${Number(value.toFixed(1))} ${units[unit]}`;
}
