/** The command line of `simulate`: workloads by name or from a file, pickers, and settings of which lists are swept. */
import { strategyNames } from 'varve/internals';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { integer, parse, suggestion, UsageError } from '../options.ts';
import type { Rates } from './machine.ts';
import { isStrategy, settingsOf } from './picker.ts';
import type { Sizes } from './simulation.ts';
import { parseWorkload, type Workload, workloads } from './workload.ts';

/** A picker and what it is set to. */
export interface Variant {
  /** What tells it from the others. */
  readonly label: string;
  readonly picker: string;
  readonly settings: Readonly<Record<string, number>>;
}

export interface SimulateOptions {
  readonly workloads: readonly Workload[];
  readonly variants: readonly Variant[];
  readonly sizes: Sizes;
  readonly rates: Rates;
  readonly seed: number;
  /** Tables are compacted for their space alone too, as the engine does by default. */
  readonly care: boolean;
  readonly verify: boolean;
  readonly charts: boolean;
  readonly markdown: boolean;
  readonly svg: string | undefined;
  readonly json: string | undefined;
}

const MIB = 2 ** 20;
const MEGABYTE = 1e6;
const VARIANTS_MAX = 64;
const BYTES: Readonly<Record<string, number>> = { '': 1, KiB: 1024, MiB: MIB, GiB: 1024 * MIB };

const flags = {
  picker: { type: 'string', default: 'leveled' },
  set: { type: 'string', multiple: true, default: [] as string[] },
  num: { type: 'string', default: '20000000' },
  scale: { type: 'string', default: '100' },
  'key-size': { type: 'string', default: '16' },
  'value-size': { type: 'string', default: '100' },
  'memtable-mib': { type: 'string', default: '32' },
  'write-mbps': { type: 'string', default: '40' },
  'flush-mbps': { type: 'string', default: '200' },
  'compact-mbps': { type: 'string', default: '150' },
  threads: { type: 'string', default: '1' },
  workload: { type: 'string' },
  seed: { type: 'string', default: '301' },
  'no-care': { type: 'boolean', default: false },
  verify: { type: 'boolean', default: false },
  'no-charts': { type: 'boolean', default: false },
  markdown: { type: 'boolean', default: false },
  svg: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const NAME_WIDTH = 20;

export const simulateHelp: string = `Runs compaction pickers against workloads without a database: what is written, kept and asked over time.

  npm run bench -- simulate fillrandom,overwrite
  npm run bench -- simulate overwrite --set levelRatio=4,8,10,12 --no-charts
  npm run bench -- simulate overwrite --picker leveled,tiered,hybrid --svg overwrite.svg
  npm run bench -- simulate overwrite --picker leveled,./my-picker.ts

Workloads (fillrandom); sizes in them are shares of --num:
${workloads.map(({ name, summary }) => `  ${name.padEnd(NAME_WIDTH)}${summary}`).join('\n')}
  --workload FILE     one more, as JSON: { "name", "summary", "phases": [{ "operations", "keys", "deletes"?, "rangeDeletes"?, "idleSeconds"? }], "ttl"? }

Pickers and their settings; lists are swept, each with each:
  --picker A,B          ${strategyNames.join(', ')}, or the path of a module that exports \`picker\`, a CompactionPicker (leveled)
  --set NAME=V,V        a setting of the pickers that have it; may be given again; bytes also as 64MiB
${strategyNames.map((name) => `    ${name.padEnd(NAME_WIDTH)}${Object.keys(settingsOf(name)).join(', ')}`).join('\n')}
  --no-care             without care for space: deletes and dead data

The database and the machine:
  --num N               entries (20000000)
  --scale N             entries that one of the model stands for (100)
  --key-size BYTES      (16)
  --value-size BYTES    (100)
  --memtable-mib N      (32)
  --write-mbps N        what the writer writes a second as long as it need not wait (40)
  --flush-mbps N        what a flush writes a second (200)
  --compact-mbps N      what a thread that compacts reads a second (150)
  --threads N           threads that compact (1)

  --seed N              seed of the operations (301)
  --verify              look up every key after each memtable, not only at the end
  --no-charts           tables only
  --markdown            tables as Markdown
  --svg FILE            write the plots too; with several workloads the name of each is put before the suffix
  --json FILE           write all samples too
`;

/** Undefined: help is asked for. Throws `UsageError`. */
export function parseSimulate(args: readonly string[]): SimulateOptions | undefined {
  const { values, positionals } = parse(args, flags);
  if (values.help) return undefined;
  const chosen = positionals.flatMap((text) => text.split(',')).filter((name) => name !== '');
  const files = values.workload === undefined ? [] : [readWorkload(values.workload)];
  if (chosen.length === 0 && files.length === 0) chosen.push('fillrandom');
  const num = integer('num', values.num, 1, 2 ** 40);
  const scale = integer('scale', values.scale, 1, num);
  return {
    workloads: [...chosen.map(knownWorkload), ...files],
    variants: variantsOf(values.picker, values.set),
    sizes: {
      entries: num,
      scale,
      keyBytes: integer('key-size', values['key-size'], 1, 65_535),
      valueBytes: integer('value-size', values['value-size'], 0, 2 ** 30),
      memtableBytes: MIB * integer('memtable-mib', values['memtable-mib'], 1, 4096),
    },
    rates: {
      write: MEGABYTE * integer('write-mbps', values['write-mbps'], 1, 1_000_000),
      flush: MEGABYTE * integer('flush-mbps', values['flush-mbps'], 1, 1_000_000),
      compaction: MEGABYTE * integer('compact-mbps', values['compact-mbps'], 1, 1_000_000),
      threads: integer('threads', values.threads, 1, 64),
    },
    seed: integer('seed', values.seed, 0, 2 ** 31 - 1),
    care: !values['no-care'],
    verify: values.verify,
    charts: !values['no-charts'],
    markdown: values.markdown,
    svg: fileIn('svg', values.svg),
    json: fileIn('json', values.json),
  };
}

function variantsOf(pickers: string, sets: readonly string[]): readonly Variant[] {
  const names = pickers.split(',').filter((name) => name !== '');
  if (names.length === 0) throw new UsageError('--picker: name at least one.');
  const axes = sets.map(axisOf);
  for (const { name } of axes) {
    const known = [...new Set(names.flatMap((picker) => Object.keys(declared(picker))))];
    if (known.includes(name)) continue;
    throw new UsageError(
      `--set ${name}: none of these pickers has it.${suggestion(name, known, '')}\nKnown settings: ${known.join(', ')}.`,
    );
  }
  const variants = names.flatMap((picker) => {
    const settings = declared(picker);
    const own = axes.filter(({ name }) => Object.hasOwn(settings, name));
    let swept: Variant[] = [{ label: picker, picker, settings: {} }];
    for (const { name, values, texts } of own) {
      for (const value of values) {
        const wanted = settings[name]!.refuse(value);
        if (wanted !== undefined) throw new UsageError(`--set ${name}=${value}: give ${wanted}.`);
      }
      swept = swept.flatMap((variant) =>
        values.map((value, i) => ({
          ...variant,
          label: values.length > 1 ? `${variant.label}, ${name} ${texts[i]!}` : variant.label,
          settings: { ...variant.settings, [name]: value },
        })),
      );
    }
    return swept;
  });
  if (variants.length > VARIANTS_MAX)
    throw new UsageError(`${variants.length} variants: sweep at most ${VARIANTS_MAX} at a time.`);
  return variants;
}

function declared(picker: string): ReturnType<typeof settingsOf> {
  return settingsOf(isStrategy(picker) ? picker : undefined);
}

interface Axis {
  readonly name: string;
  readonly values: readonly number[];
  /** The values as they were given. */
  readonly texts: readonly string[];
}

/** `levelRatio=4,8`, `level1Bytes=64MiB,128MiB`. */
function axisOf(text: string): Axis {
  const [name, list] = text.split('=');
  if (name === undefined || list === undefined || list === '') {
    throw new UsageError(`--set ${text}: give a name and values, as in levelRatio=8,10.`);
  }
  const texts = list.split(',');
  const values = texts.map((one) => {
    const match = /^([\d.]+)(KiB|MiB|GiB)?$/.exec(one);
    if (match === null) throw new UsageError(`--set ${text}: ${one} is no number.`);
    return Number(match[1]) * BYTES[match[2] ?? '']!;
  });
  return { name, values, texts };
}

function knownWorkload(name: string): Workload {
  const workload = workloads.find((known) => known.name === name);
  if (workload !== undefined) return workload;
  const names = workloads.map((known) => known.name);
  throw new UsageError(
    `Unknown workload "${name}".${suggestion(name, names, '')}\nKnown workloads: ${names.join(', ')}.`,
  );
}

function readWorkload(path: string): Workload {
  if (!existsSync(path)) throw new UsageError(`--workload ${path}: there is no such file.`);
  return parseWorkload(readFileSync(path, 'utf8'), path);
}

function fileIn(name: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const file = resolve(path);
  if (!existsSync(dirname(file))) {
    throw new UsageError(`--${name}: the directory ${dirname(file)} does not exist.`);
  }
  return file;
}
