/**
 * Settings under which a few thousand keys make tables on several levels, and keys for them.
 */
import { utf8 } from 'varve';

export const small = {
  key: utf8,
  value: utf8,
  blockBytes: 512,
  memtableBytes: 64 * 1024,
  tableBytes: 32 * 1024,
  levelRatio: 2,
} as const;

/** In the order of the numbers. */
export const key = (number: number): string => String(number).padStart(8, '0');
