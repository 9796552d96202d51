/**
 * Settings of background work that are more than a number: how fast compactions go, when, and what defragmentation looks for.
 */
import { quantity, refuseMembers, type Setting, setting } from './setting.ts';

const KIB = 1024;
const GIB = 1024 ** 3;

/** 'auto', no limit at all, or bytes a second. */
export type CompactionRate = 'auto' | 'unlimited' | number;

/** Hours of the day in local time, as 'HH:MM'; `to` at or below `from` runs over midnight. */
export interface CompactionWindow {
  readonly from: string;
  readonly to: string;
}

export interface DefragmentOption {
  liveRatio?: number;
  intervalMs?: number;
  filesMax?: number;
}

export interface ResolvedDefragment {
  /** Tables with a smaller share of live data are rewritten. */
  readonly liveRatio: number;
  readonly intervalMs: number;
  /** Tables rewritten by one job. */
  readonly filesMax: number;
}

/** A window as minutes from midnight. */
export interface DayMinutes {
  readonly from: number;
  readonly to: number;
}

const rate = quantity({ unit: 'bytes', min: 64 * KIB, max: 1024 * GIB, doc: '' });

export const compactionRateSetting: Setting<CompactionRate> = setting<CompactionRate>({
  type: "'auto' | 'unlimited' | number",
  unit: 'bytes',
  default: 'auto',
  doc: "Bytes a second that all compactions together go through. 'auto' holds them back only while reads go to the disk and nothing waits for them.",
  raiseWhen: 'reads must not notice compactions: a number; writes come in without a pause: unlimited',
  refuse: (value) =>
    value === 'auto' || value === 'unlimited' || rate.refuse(value) === undefined
      ? undefined
      : `'auto', 'unlimited' or ${rate.refuse(value)!} a second`,
});

export const compactionWindowsSetting: Setting<readonly CompactionWindow[]> = setting<
  readonly CompactionWindow[]
>({
  type: '{ from, to }[]',
  default: [],
  defaultText: 'none: at any time',
  doc: "Hours of the day, local time as 'HH:MM', for compactions that can wait; what keeps writes going runs at any time.",
  refuse: (value) => {
    if (!Array.isArray(value)) return "a list of { from: 'HH:MM', to: 'HH:MM' }";
    const wrong = (value as unknown[]).flatMap((window, i) => (minutesOf(window) === undefined ? [i] : []));
    return wrong.length === 0
      ? undefined
      : `each window as { from: 'HH:MM', to: 'HH:MM' } with two different times; not so ${wrong.map((i) => `[${i}]`).join(', ')}`;
  },
});

const defragmentSettings: { readonly [Name in keyof ResolvedDefragment]: Setting<number> } = {
  liveRatio: quantity({ default: 0.4, min: 0, max: 0.95, fraction: true, doc: '' }),
  intervalMs: quantity({ unit: 'ms', default: 10_000, min: 100, max: 86_400_000, doc: '' }),
  filesMax: quantity({ unit: 'files', default: 8, min: 1, max: 1000, doc: '' }),
};

export const defragmentSetting: Setting<DefragmentOption | false> = setting<DefragmentOption | false>({
  type: '{ liveRatio?, intervalMs?, filesMax? } | false',
  default: {},
  defaultText: '{ liveRatio: 0.4, intervalMs: 10000, filesMax: 8 }',
  doc: 'Tables whose live data is estimated below this share of them are rewritten when nothing else is due, the lowest first, so many at a time; so are tables full of deletes and of expired entries. Looked for this long after the last change. false: not by itself, only by `db.reclaim()`.',
  raiseWhen: 'space matters more than rewriting: a higher liveRatio',
  refuse: (value) => {
    if (value === false) return undefined;
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return 'an object, or false';
    const names = Object.keys(defragmentSettings).join(', ');
    return refuseMembers(defragmentSettings, value, (name) => `no member '${name}'; it has ${names}`);
  },
});

export function resolveRate(value: CompactionRate): 'auto' | number {
  return value === 'unlimited' ? Number.POSITIVE_INFINITY : value;
}

export function resolveWindows(windows: readonly CompactionWindow[]): readonly DayMinutes[] {
  return Object.freeze(windows.map((window) => minutesOf(window)!));
}

/** Undefined: switched off. */
export function resolveDefragment(option: DefragmentOption | false): ResolvedDefragment | undefined {
  if (option === false) return undefined;
  const value = (name: keyof ResolvedDefragment): number => option[name] ?? defragmentSettings[name].default!;
  return Object.freeze({
    liveRatio: value('liveRatio'),
    intervalMs: value('intervalMs'),
    filesMax: value('filesMax'),
  });
}

function minutesOf(window: unknown): DayMinutes | undefined {
  if (window === null || typeof window !== 'object') return undefined;
  const { from, to } = window as Partial<Record<keyof CompactionWindow, unknown>>;
  const times = [from, to].map((text) => {
    const match = typeof text === 'string' ? /^(\d\d):(\d\d)$/.exec(text) : null;
    if (match === null) return undefined;
    const [hours, minutes] = [Number(match[1]), Number(match[2])];
    return hours < 24 && minutes < 60 ? hours * 60 + minutes : undefined;
  });
  if (times[0] === undefined || times[1] === undefined || times[0] === times[1]) return undefined;
  return { from: times[0], to: times[1] };
}
