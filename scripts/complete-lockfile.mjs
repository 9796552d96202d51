/**
 * Completes package-lock.json: `npm ci` refuses a lockfile that lacks an entry for an optional dependency, and npm
 * writes none when the package for a foreign platform is not in the registry at hand (biome, oxlint, rolldown, ...).
 *
 *   node scripts/complete-lockfile.mjs           add what is missing; run it after each `npm install` that changes the lock
 *   node scripts/complete-lockfile.mjs --check   fail when something is missing, or when a registry host is written down
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const systems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const processors = [
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
];

/** Reads system and processor out of a package name such as `@biomejs/cli-linux-arm64-musl`. */
function platformOf(name) {
  const words = name.replace('windows', 'win32').split(/[^a-z0-9]+/);
  const os = systems.filter(
    (system) => words.includes(system) || (system === 'win32' && words.includes('win')),
  );
  const cpu = processors.filter((processor) => words.includes(processor));
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : [];
  return { cpu, os, libc };
}

/** Where npm looks for `name` when `from` asks: the nearest node_modules upwards. */
function resolveEntry(entries, from, name) {
  for (let folder = from; ; ) {
    const key = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (entries[key]) return key;
    if (folder === '') return undefined;
    const nested = folder.lastIndexOf('/node_modules/');
    folder = nested < 0 ? '' : folder.slice(0, nested);
  }
}

/** Adds the missing entries to `lock` and returns their names. */
export function completeLock(lock) {
  const added = [];
  for (const [from, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (resolveEntry(lock.packages, from, name)) continue;
      const { cpu, os, libc } = platformOf(name);
      // In the order npm writes, so that the next `npm install` leaves the file alone.
      lock.packages[`node_modules/${name}`] = {
        version: version.replace(/^[^0-9]*/, ''),
        ...(cpu.length > 0 && { cpu }),
        ...(entry.dev && { dev: true }),
        ...(libc.length > 0 && { libc }),
        optional: true,
        ...(os.length > 0 && { os }),
      };
      added.push(name);
    }
  }
  const order = Object.keys(lock.packages).sort((a, b) => a.localeCompare(b, 'en'));
  lock.packages = Object.fromEntries(order.map((key) => [key, lock.packages[key]]));
  return added;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(dirname(fileURLToPath(import.meta.url)), '..', 'package-lock.json');
  const lock = JSON.parse(readFileSync(path, 'utf8'));
  const hosts = Object.keys(lock.packages).filter((key) =>
    /^https?:/.test(lock.packages[key].resolved ?? ''),
  );
  const added = completeLock(lock);
  if (process.argv.includes('--check')) {
    for (const name of added)
      console.error(`package-lock.json: no entry for ${name}; run: node scripts/complete-lockfile.mjs`);
    for (const key of hosts)
      console.error(`package-lock.json: ${key} names a registry; .npmrc should prevent that`);
    process.exitCode = added.length + hosts.length > 0 ? 1 : 0;
  } else {
    if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
    console.log(`package-lock.json: ${added.length} entries added`);
  }
}
