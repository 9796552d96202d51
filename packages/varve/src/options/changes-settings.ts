/**
 * The setting that says how much log is kept for change feeds beyond what the database itself needs.
 */
import { quantity, refuseMembers, type Setting, setting } from './setting.ts';

const KIB = 1024;
const GIB = 1024 ** 3;

/** Which log is kept for change feeds that are not open, and how much for those that are. */
export interface ChangesRetention {
  /** The last so many bytes of log are kept. Nothing for its own sake when neither this nor `ms` is given. */
  bytes?: number;
  /** Log is kept for so long; with `bytes` as well, while both ask for it. */
  ms?: number;
  /** Most that is kept, also for open feeds: one that is further behind ends with `CHANGES_TOO_SLOW`. */
  bytesMax?: number;
}

export interface ResolvedChangesRetention {
  readonly bytes: number | undefined;
  readonly ms: number | undefined;
  readonly bytesMax: number;
}

const members: { readonly [Name in keyof ResolvedChangesRetention]: Setting<number> } = {
  bytes: quantity({ unit: 'bytes', min: 1, max: 1024 * GIB, doc: '' }),
  ms: quantity({ unit: 'ms', min: 1, max: 366 * 86_400_000, doc: '' }),
  bytesMax: quantity({ unit: 'bytes', default: GIB, min: 64 * KIB, max: 1024 * GIB, doc: '' }),
};

export const changesRetentionSetting: Setting<ChangesRetention> = setting<ChangesRetention>({
  type: '{ bytes?, ms?, bytesMax? }',
  default: {},
  defaultText: '{ bytesMax: 1 GiB }',
  doc: 'How much log is kept for change feeds that are not open: the last `bytes` of it, what is younger than `ms`, or where both are given what both ask for; by default nothing that the database does not need itself. An open feed keeps what is behind it. All that is kept so takes `bytesMax` at most: a feed that is further behind ends with CHANGES_TOO_SLOW.',
  raiseWhen: 'consumers of `db.changes` go on where they stopped after being away for a while',
  refuse: (value) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return 'an object';
    const names = Object.keys(members).join(', ');
    const wrong = refuseMembers(members, value, (name) => `no member '${name}'; it has ${names}`);
    if (wrong !== undefined) return wrong;
    const { bytes, bytesMax = members.bytesMax.default! } = value as ChangesRetention;
    return bytes !== undefined && bytes > bytesMax ? 'bytes of at most bytesMax' : undefined;
  },
});

export function resolveChangesRetention(option: ChangesRetention): ResolvedChangesRetention {
  const { bytes, ms, bytesMax = members.bytesMax.default! } = option;
  return Object.freeze({ bytes, ms, bytesMax });
}
