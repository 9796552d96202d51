/**
 * Compactions in words: what is done, to how much, and why. Nothing here asks for the time or the terminal.
 */
import type { DecisionReport } from 'varve';
import { plural, showSize } from './output.ts';

/** 'merge L0 to L6, 6 files of 48.0 MiB'. */
export function whatOf({ kind, fromLevel, toLevel, files, bytes }: DecisionReport): string {
  const where =
    kind === 'drop'
      ? `from L${fromLevel}`
      : fromLevel === toLevel
        ? `in L${fromLevel}`
        : `L${fromLevel} to L${toLevel}`;
  return `${kind} ${where}, ${plural(files, 'file')} of ${showSize(bytes)}`;
}

/** 'level 0 had 6 files of 4'. */
export function whyOf({ kind, reason, score, measure, fromLevel }: DecisionReport): string {
  if (measure !== undefined) {
    const { had, limit, unit } = measure;
    if (unit === 'files') return `level ${fromLevel} had ${plural(had, 'file')} of ${limit}`;
    if (unit === 'runs') return `there were ${plural(had, 'run')} of ${limit}`;
    const sizes = `${showSize(had)} of ${showSize(limit)}`;
    if (reason === 'space') return `newer runs held ${sizes} allowed above the oldest`;
    if (reason === 'bytes') return `all tables held ${sizes}`;
    return `level ${fromLevel} held ${sizes}`;
  }
  switch (reason) {
    case 'tombstones':
      return 'many deletes';
    case 'live-ratio':
      return `a table was ${percent(1 - score)} live`;
    case 'blob-space':
      return 'too little of a blob file is live';
    case 'covered':
      return 'a range delete covers all of it';
    case 'expired':
      return kind === 'drop' ? 'all of it has expired' : 'much of it has expired';
    case 'window':
      return 'its window of time is over';
    case 'age':
      return 'it is too old';
    case 'custom':
      return 'the picker chose it';
    case 'manual':
      return 'asked for';
    default:
      return `${reason}, ${score.toFixed(2)} times its limit`;
  }
}

/** '87 %'; '<1 %' for what is not nothing. */
export function percent(share: number): string {
  if (share > 0 && share < 0.01) return '<1 %';
  return `${Math.floor(share * 100)} %`;
}

/** '12 s', '3 min', '2 h', '5 d'. */
export function showAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
