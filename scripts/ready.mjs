/**
 * Makes a checkout ready to run: installs the packages when the lockfile changed, builds when the sources changed.
 *
 * Runs before anything is installed, so: plain JavaScript, Node 20, nothing from node_modules.
 * With --no-build it only installs. Each step leaves a stamp (a hash of what it was made from); a second run compares stamps and does nothing.
 * A lock directory keeps two commands that start together (`npm start` and `npm test`) from doing the work twice.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const installStamp = join(root, 'node_modules', '.varve-install');
const buildStamp = join(root, '.cache', 'build-stamp');
const lockDir = join(root, '.cache', 'ready.lock');
const lockWaitMs = 10 * 60_000;

const read = (path) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

const packages = readdirSync(join(root, 'packages')).filter((name) =>
  existsSync(join(root, 'packages', name, 'package.json')),
);

/** The lockfile and the dependencies of every package.json: what an installation is made from. */
function installHash() {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`);
  hash.update(read(join(root, 'package-lock.json')));
  for (const folder of ['.', ...packages.map((name) => `packages/${name}`)]) {
    const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const { workspaces, dependencies, devDependencies, optionalDependencies, bin } = manifest;
    hash.update(
      JSON.stringify([folder, workspaces, dependencies, devDependencies, optionalDependencies, bin]),
    );
  }
  return hash.digest('hex');
}

/** Path and content of every source that `tsc -b` reads; content, because a checkout changes times. */
function buildHash() {
  const hash = createHash('sha256').update(installHash());
  const visit = (path) => {
    for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) visit(child);
      else if (!/\.(test|suite)\.ts$/.test(entry.name)) hash.update(child).update(readFileSync(child));
    }
  };
  for (const file of ['tsconfig.json', 'tsconfig.base.json', 'scripts/build.mjs']) {
    if (existsSync(join(root, file))) hash.update(readFileSync(join(root, file)));
  }
  for (const name of packages) {
    const config = join(root, 'packages', name, 'tsconfig.json');
    if (existsSync(config)) hash.update(readFileSync(config));
    if (existsSync(join(root, 'packages', name, 'src'))) visit(join(root, 'packages', name, 'src'));
  }
  return hash.digest('hex');
}

const installed = () => read(installStamp) === installHash();
const built = () =>
  process.argv.includes('--no-build') ||
  (read(buildStamp) === buildHash() &&
    packages.every((name) => existsSync(join(root, 'packages', name, 'dist'))));

/** Runs a command in the root; a failure prints what it said and ends this process, unless it is optional. */
function run(command, args, { optional = false } = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32' && command === 'npm',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 << 20,
  });
  if (result.status === 0) return true;
  if (optional) {
    console.log(`ready: "${command} ${args[0]}" did not work: ${String(result.stderr).split('\n', 1)[0]}`);
    return false;
  }
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}${result.error ?? ''}\n`);
  console.error(
    `ready: "${command} ${args.join(' ')}" failed; fix the cause above and run the command again.`,
  );
  rmSync(lockDir, { recursive: true, force: true });
  process.exit(1);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes the lock directory; one whose owner died, or died before it wrote its pid, is taken over. */
function lock() {
  mkdirSync(dirname(lockDir), { recursive: true });
  const deadline = Date.now() + lockWaitMs;
  for (;;) {
    try {
      mkdirSync(lockDir);
      writeFileSync(join(lockDir, 'pid'), String(process.pid));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const pid = Number(read(join(lockDir, 'pid')));
    const ageMs = Date.now() - (statSync(lockDir, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (pid > 0 ? !isAlive(pid) : ageMs > 5_000) {
      rmSync(lockDir, { recursive: true, force: true });
    } else if (Date.now() > deadline) {
      console.error(
        `ready: another run (pid ${pid}) still holds ${lockDir}; end it or remove the directory.`,
      );
      process.exit(1);
    } else {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
}

function install() {
  const startMs = Date.now();
  console.log('ready: installing packages ...');
  rmSync(installStamp, { force: true });
  const flags = ['--no-audit', '--no-fund', '--loglevel=error'];
  // `npm ci` empties node_modules first. Where there is one, `npm install` brings it to the same lockfile in place,
  // and leaves a command that already runs there undisturbed.
  const fresh = !existsSync(join(root, 'node_modules'));
  const done =
    fresh && existsSync(join(root, 'package-lock.json')) && run('npm', ['ci', ...flags], { optional: true });
  if (!done) run('npm', ['install', ...flags]);
  writeFileSync(installStamp, installHash());
  console.log(`ready: installed in ${((Date.now() - startMs) / 1000).toFixed(1)} s`);
}

/** npm has made no links for `npx` to commands whose files the build only now made. */
function linkCommands() {
  if (process.platform === 'win32') return;
  for (const name of packages) {
    const { bin = {} } = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8'));
    for (const [command, file] of Object.entries(bin)) {
      const link = join(root, 'node_modules', '.bin', command);
      if (existsSync(link)) continue;
      rmSync(link, { force: true });
      symlinkSync(relative(dirname(link), join(root, 'packages', name, file)), link);
    }
  }
}

function build() {
  const startMs = Date.now();
  const hash = buildHash();
  run(process.execPath, ['scripts/build.mjs']);
  linkCommands();
  writeFileSync(buildStamp, hash);
  console.log(`ready: built in ${((Date.now() - startMs) / 1000).toFixed(1)} s`);
}

if (!installed() || !built()) {
  lock();
  try {
    if (!installed()) install();
    if (!built()) build();
  } finally {
    rmSync(lockDir, { recursive: true, force: true });
  }
}
