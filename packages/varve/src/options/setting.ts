/**
 * The one form in which a setting is declared: type, unit, default, bounds, documentation.
 *
 * Validation (resolve.ts), the OPTIONS file (persist.ts), the reference page (describe.ts) and later the flags of the
 * command line come from these declarations and from nowhere else. A setting's name is its key in the table that
 * declares it (database-settings.ts, keyspace-settings.ts).
 * Invariants: (1) `refuse` never throws and never changes the value. (2) A value that `refuse` accepts is used as it is.
 * Pure data; any thread.
 */

export interface Setting<T> {
  /** The type as documentation shows it. */
  readonly type: string;
  /** 'bytes', 'ms', 'files' ...; undefined for what has no unit. */
  readonly unit: string | undefined;
  /** Undefined when it follows from other settings or is absent unless given: then `defaultText` says so. */
  readonly default: T | undefined;
  readonly defaultText: string;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly choices: readonly string[] | undefined;
  /** May change while the database is open. */
  readonly dynamic: boolean;
  /** Written to the OPTIONS file; false for components and for how to open. */
  readonly persisted: boolean;
  readonly doc: string;
  /** When to move it away from its default. */
  readonly raiseWhen: string | undefined;
  /** What was wanted, when `value` will not do; undefined when it will. */
  readonly refuse: (value: unknown) => string | undefined;
  /** Named and typed already, not built yet: every value (or the ones it answers true for) is refused as such. */
  readonly later: ((value: unknown) => boolean) | undefined;
}

/** What every declaration may say beside its type. */
export interface Declaration {
  readonly unit?: string;
  readonly defaultText?: string;
  readonly dynamic?: boolean;
  readonly persisted?: boolean;
  readonly doc: string;
  readonly raiseWhen?: string;
  readonly later?: (value: unknown) => boolean;
}

/** The full form: what the shorter ones below fill in. */
export function setting<T>(
  declaration: Declaration & {
    readonly type: string;
    readonly default?: T;
    readonly min?: number;
    readonly max?: number;
    readonly choices?: readonly string[];
    readonly refuse: (value: unknown) => string | undefined;
  },
): Setting<T> {
  return {
    type: declaration.type,
    unit: declaration.unit,
    default: declaration.default,
    defaultText: declaration.defaultText ?? showValue(declaration.default, declaration.unit),
    min: declaration.min,
    max: declaration.max,
    choices: declaration.choices,
    dynamic: declaration.dynamic ?? false,
    persisted: declaration.persisted ?? true,
    doc: declaration.doc,
    raiseWhen: declaration.raiseWhen,
    refuse: declaration.refuse,
    later: declaration.later,
  };
}

/** true or false. */
export function flag(declaration: Declaration & { readonly default: boolean }): Setting<boolean> {
  return setting<boolean>({
    ...declaration,
    type: 'boolean',
    refuse: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
  });
}

/** A number between `min` and `max`, both included; whole unless `fraction` is set. */
export function quantity(
  declaration: Declaration & {
    readonly default?: number;
    readonly min: number;
    readonly max: number;
    readonly fraction?: boolean;
  },
): Setting<number> {
  const { min, max, unit } = declaration;
  const whole = declaration.fraction !== true;
  const what = `${whole ? 'a whole number' : 'a number'}${unit === undefined ? '' : ` of ${unit}`}`;
  const wanted = `${what} from ${showValue(min, unit)} to ${showValue(max, unit)}`;
  return setting<number>({
    ...declaration,
    type: 'number',
    refuse: (value) => {
      if (typeof value !== 'number' || !(value >= min && value <= max)) return wanted;
      return whole && !Number.isInteger(value) ? wanted : undefined;
    },
  });
}

/**
 * What was wanted of the members of an object, all that is wrong of them at once; undefined when they will do.
 *
 * @param none says that there is no member of a name
 */
export function refuseMembers(
  table: { readonly [name: string]: Setting<number> },
  value: object,
  none: (name: string) => string,
): string | undefined {
  const wrong = Object.entries(value).flatMap(([name, given]) => {
    if (given === undefined) return [];
    if (!Object.hasOwn(table, name)) return [none(name)];
    const wanted = table[name]!.refuse(given);
    return wanted === undefined ? [] : [`${name} as ${wanted}`];
  });
  return wrong.length === 0 ? undefined : wrong.join('; ');
}

/** One of some words. */
export function choice<T extends string>(
  declaration: Declaration & { readonly default: T; readonly choices: readonly T[] },
): Setting<T> {
  const words: readonly string[] = declaration.choices;
  const quoted = words.map((word) => `'${word}'`);
  return setting<T>({
    ...declaration,
    type: quoted.join(' | '),
    refuse: (value) =>
      typeof value === 'string' && words.includes(value) ? undefined : `one of ${quoted.join(', ')}`,
  });
}

/** Longest list of values by level: more levels than a tree can have. */
export const LEVELS_MAX = 16;

/** One value for all levels, or a list from level 0 down whose last value also holds for all deeper levels. */
export function byLevel<T>(one: Setting<T>): Setting<T | readonly T[]> {
  const list = `, or a list of 1 to ${LEVELS_MAX} such values from level 0 down`;
  return {
    ...one,
    type: `${one.type.includes('|') ? `(${one.type})` : one.type} or a list by level`,
    refuse: (value) => {
      const values: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (values.length === 0 || values.length > LEVELS_MAX) return (one.refuse(undefined) ?? '') + list;
      for (const item of values) {
        const wanted = one.refuse(item);
        if (wanted !== undefined) return wanted + list;
      }
      return undefined;
    },
    later: (value) => {
      const { later } = one;
      return later !== undefined && (Array.isArray(value) ? value.some((item) => later(item)) : later(value));
    },
  };
}

/** An object with the methods that are named: a clock, a file system, a codec. Never persisted. */
export function component<T>(
  declaration: Declaration & {
    readonly type: string;
    readonly default?: T;
    readonly methods: readonly string[];
    readonly named?: boolean;
  },
): Setting<T> {
  const { methods, named } = declaration;
  const wanted = `an object with ${named === true ? 'a name and ' : ''}the methods ${methods.join(', ')}`;
  return setting<T>({
    ...declaration,
    persisted: false,
    refuse: (value) => {
      if (value === null || typeof value !== 'object') return wanted;
      const given = value as Record<string, unknown>;
      if (named === true && typeof given['name'] !== 'string') return `${wanted}; name is missing`;
      const missing = methods.filter((method) => typeof given[method] !== 'function');
      return missing.length === 0 ? undefined : `${wanted}; ${missing.join(', ')} missing`;
    },
  });
}

const KIB = 1024;

/** A number with its unit in the form a person would write: '64 MiB', '200 ms'. */
export function showValue(value: unknown, unit?: string): string {
  if (typeof value === 'number') {
    if (unit === 'bytes') return showBytes(value);
    return unit === undefined ? String(value) : `${value} ${unit}`;
  }
  if (value === undefined) return 'none';
  if (typeof value === 'string') return `'${value}'`;
  return JSON.stringify(value);
}

/** Bytes in the largest binary unit that divides them, so that nothing is rounded away. */
export function showBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let rest = bytes;
  while (rest !== 0 && rest % KIB === 0 && at < units.length - 1) {
    rest /= KIB;
    at++;
  }
  return `${rest} ${units[at]}`;
}
