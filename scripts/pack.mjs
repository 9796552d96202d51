/**
 * Makes what is published: .cache/pack/<package> and its tarball. Run it after a build.
 *
 *   node scripts/pack.mjs [varve|cli]        then: npm publish .cache/pack/varve
 *
 * The copy differs from packages/<package> in this: no `varve-source` condition (it names sources that are not
 * published), no scripts, no devDependencies and no build notes of the compiler. The licence comes along.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The manifest as it is published. */
export function cleanManifest({ scripts: _scripts, devDependencies: _devDependencies, ...manifest }) {
  const exports = Object.entries(manifest.exports ?? {}).flatMap(([path, target]) => {
    const { 'varve-source': _source, ...rest } = target;
    // An export that only sources have is for this checkout alone.
    return Object.keys(rest).length === 0 ? [] : [[path, rest]];
  });
  return { ...manifest, ...(exports.length > 0 && { exports: Object.fromEntries(exports) }) };
}

/** Writes the folder and the tarball of one package and returns the path of the tarball. */
export function pack(name) {
  const from = join(root, 'packages', name);
  const to = join(root, '.cache', 'pack', name);
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
  writeFileSync(join(to, 'package.json'), `${JSON.stringify(cleanManifest(manifest), null, 2)}\n`);
  // Declaration maps point to sources that are not there; source maps carry their sources.
  const filter = (path) => !/\.tsbuildinfo$|\.d\.ts\.map$/.test(path);
  cpSync(join(from, 'dist'), join(to, 'dist'), { recursive: true, filter });
  cpSync(join(root, 'LICENSE'), join(to, 'LICENSE'));
  if (existsSync(join(from, 'README.md'))) cpSync(join(from, 'README.md'), join(to, 'README.md'));
  const result = spawnSync('npm', ['pack', '--json', '--ignore-scripts', '--loglevel=error'], {
    cwd: to,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (result.status !== 0) throw new Error(`npm pack of ${name} failed: ${result.stderr}`);
  const file = `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`;
  return join(to, file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  for (const name of names.length > 0 ? names : ['varve', 'cli']) console.log(pack(name));
}
