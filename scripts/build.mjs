/**
 * Builds every package with `tsc -b`, then removes from `dist` what no longer has a source.
 * `tsc` itself leaves the output of a deleted source behind, and it would be published.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The tools of node_modules/.bin, also when this script does not run inside npm. */
export const toolPath = `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}`;

/** Removes outputs in `dist` whose source is gone, and folders that this leaves empty. */
export function removeStale(source, dist) {
  if (!existsSync(dist)) return [];
  const removed = [];
  for (const entry of readdirSync(dist, { withFileTypes: true })) {
    const path = join(dist, entry.name);
    const output = /^(.+?)(\.js|\.d\.ts)(\.map)?$/.exec(entry.name);
    if (entry.isDirectory()) {
      removed.push(...removeStale(join(source, entry.name), path));
      if (readdirSync(path).length === 0) rmSync(path, { recursive: true });
    } else if (
      output &&
      (!existsSync(join(source, `${output[1]}.ts`)) || /\.(test|suite)$/.test(output[1]))
    ) {
      rmSync(path);
      removed.push(path);
    }
  }
  return removed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { status, error } = spawnSync('tsc', ['-b', 'tsconfig.json', ...process.argv.slice(2)], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
    env: { ...process.env, PATH: toolPath },
  });
  if (error) console.error(`build: tsc did not start (${error.message}); run "npm install" first.`);
  for (const name of readdirSync(join(root, 'packages'))) {
    const folder = join(root, 'packages', name);
    if (!existsSync(join(folder, 'package.json'))) continue;
    const { bin = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    // npm made them executable at install time, when they were not there yet.
    for (const file of Object.values(bin))
      if (existsSync(join(folder, file))) chmodSync(join(folder, file), 0o755);
    for (const path of removeStale(join(folder, 'src'), join(folder, 'dist'))) {
      console.log(`build: removed ${relative(root, path)}, its source is gone`);
    }
  }
  process.exitCode = status ?? 1;
}
