/**
 * The layers of Varve as rules: who may import whom, type imports included. `npm run layers` runs them.
 * The floors are those of docs/internals/architecture.md; the private files of a folder follow from exposed.mjs.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { exposed } from './exposed.mjs';

/** Folders of packages/varve/src from the bottom up. A folder imports only from floors below its own. */
export const floors = [
  ['base'],
  ['fs', 'options', 'observe', 'runtime'],
  ['record', 'cache', 'workers', 'arena'],
  ['wal', 'memtable', 'sstable', 'manifest', 'iterator'],
  ['compaction'],
  ['engine'],
  ['transaction', 'history', 'maintenance'],
  ['tables', 'level', 'mga'],
];

const source = '^packages/varve/src';
const tests = '\\.(test|suite)\\.ts$';
/** Shows private files to the micro benches and the interleaving checker: see its header. */
const internals = `${source}/internals\\.ts$`;
const oneOf = (folders) => `${source}/(${folders.join('|')})/`;
const escape = (text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The source files behind the exports of every package below `root`, as path patterns. */
function entryPoints(root) {
  return readdirSync(join(root, 'packages')).flatMap((name) => {
    const path = join(root, 'packages', name, 'package.json');
    const manifest = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
    return Object.values(manifest.exports ?? {})
      .map((target) => target['varve-source'])
      .filter((file) => file !== undefined)
      .map((file) => `^packages/${name}/${escape(file.replace('./', ''))}$`);
  });
}

/** One rule per folder: everything that is not its own, and not on a floor below, is out of reach. */
function floorRules() {
  return floors.flatMap((folders, floor) =>
    folders.map((folder) => ({
      name: `floor-${floor}-${folder}`,
      severity: 'error',
      comment: `${folder} (floor ${floor}) imports only from floors below it; move what is shared down.`,
      // A unit test may build what it needs from above its own floor.
      from: { path: oneOf([folder]), pathNot: tests },
      to: {
        path: `${source}/`,
        pathNot: [oneOf([folder]), ...floors.slice(0, floor).map(oneOf), ...engineEntry(floor)],
      },
    })),
  );
}

/** The top floor is a user of the engine, so it may use the package's own entry. */
const engineEntry = (floor) => (floor === floors.length - 1 ? [`${source}/index\\.ts$`] : []);

function exposedRules(table) {
  return Object.entries(table).map(([folder, files]) => ({
    name: `private-file-of-${folder}`,
    severity: 'error',
    comment: `${folder} shows only ${files.join(', ')}; use those, or list the file in .dependency-cruiser/exposed.mjs.`,
    from: { path: '^packages/', pathNot: [oneOf([folder]), tests, internals] },
    to: { path: oneOf([folder]), pathNot: files.map((file) => `${source}/${folder}/${escape(file)}$`) },
  }));
}

/** All rules for the checkout at `root`. Tests pass a folder with planted violations and their own exposed table. */
export function rulesFor(root, table = exposed) {
  return [
    ...floorRules(),
    ...exposedRules(table),
    {
      name: 'folder-without-a-floor',
      severity: 'error',
      comment:
        'Give the folder a floor in .dependency-cruiser/config.mjs, or move the file into one that has it.',
      from: { path: '^packages/' },
      to: { path: `${source}/[^/]+/`, pathNot: oneOf(floors.flat()) },
    },
    {
      name: 'base-without-node',
      severity: 'error',
      comment: 'base runs anywhere: it imports nothing from Node. Pass in what it needs.',
      from: { path: oneOf(['base']), pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'pure-pickers',
      severity: 'error',
      comment:
        'A picker is a pure function (version, running, settings) -> plan: only manifest, base and options.',
      from: { path: `${source}/compaction/(picker|plan)`, pathNot: tests },
      to: { pathNot: [`${source}/compaction/(picker|plan)`, oneOf(['manifest', 'base', 'options'])] },
    },
    {
      name: 'package-entry-only',
      severity: 'error',
      comment: 'Packages see each other only through the entries in `exports`, by name and not by path.',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/[^/]+/', pathNot: ['^packages/$1/', ...entryPoints(root)] },
    },
    {
      name: 'package-by-name',
      severity: 'error',
      comment: 'Import another package by its name, not by a relative path.',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/', pathNot: '^packages/$1/', dependencyTypes: ['local'] },
    },
    {
      name: 'internals-for-micro-benches',
      severity: 'error',
      comment:
        'varve/internals is for packages/bench/src/{micro,simulate} and packages/sim/src/interleave alone; use what `varve` exports.',
      from: {
        pathNot: ['^packages/bench/src/(micro|simulate)/', '^packages/sim/src/interleave/.*\\.check\\.ts$'],
      },
      to: { path: internals },
    },
    {
      name: 'no-cycle',
      severity: 'error',
      comment: 'Break the cycle: move what both need into a third file.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      severity: 'error',
      comment: 'The import leads nowhere: wrong path, or a package that is not installed.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'tests-stay-out',
      severity: 'error',
      comment: 'Code that is published does not import tests or suites.',
      from: { path: '^packages/[^/]+/src/', pathNot: tests },
      to: { path: tests },
    },
  ];
}

/** How dependency-cruiser reads the sources. */
export const options = {
  doNotFollow: { path: ['node_modules', '/dist/'] },
  exclude: { path: ['/dist/', '/fixtures/'] },
  // Without this, type imports are invisible and pass every rule.
  tsPreCompilationDeps: true,
  enhancedResolveOptions: {
    exportsFields: ['exports'],
    conditionNames: ['varve-source', 'import', 'node', 'default'],
    extensions: ['.ts', '.mts', '.js', '.mjs', '.json'],
  },
};
