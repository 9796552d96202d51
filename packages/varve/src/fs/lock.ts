/**
 * The lock of a database directory: `LOCK` is a Unix socket that the owner listens on (CONTRACT 4).
 *
 * Why not a pid file: pids repeat, and mean nothing across containers. A listening socket dies with its process, whatever
 * killed it, and the kernel says so to everybody on the machine. What is left to do is to replace a dead `LOCK` without
 * a race; a plain "connect, unlink, bind" lets a slow opener unlink the `LOCK` that a fast one just made.
 *
 * The protocol. An opener X
 *   1. listens under a name that nobody looks at (`LOCK.<id>~`), then renames it to `LOCK.<id>`: from then on it is shown;
 *   2. lists the directory and asks every other `LOCK.<id>`: a dead one is removed (its process is gone and ids are never
 *      used again, so it stays dead), a living one is a rival;
 *   3. after that, not before, asks `LOCK`: alive means LOCKED;
 *   4. with no rival renames `LOCK.<id>` over `LOCK`: X owns the directory, and never stopped listening in between;
 *   5. with a rival of a smaller id hides again (renames back), otherwise stays; and begins anew after a few milliseconds.
 *
 * Why two can not both pass step 4. Let X have been shown before Y was. Y listed later, while X was still shown or after X
 * had renamed. Shown: Y found `LOCK.x` in the list and asked it; X lives, so it was a rival, or it had just been renamed
 * (absent). Renamed: Y asked `LOCK` after listing, thus after the rename, and found X alive. In both cases Y did not pass,
 * unless X had released by then. A name is alive whenever it is shown, so nobody removes X's. The release removes
 * `LOCK.info`, then `LOCK`, and only then stops listening, so `LOCK` never looks dead while its owner may still touch it.
 * Progress: of the living rivals the smallest id (the earliest) stays and the others hide.
 *
 * Limits: one kernel. Two machines that share a directory over a network are not kept apart. On Windows a named pipe with
 * the hash of the path does it alone: the system hands out its first instance once and takes it back from the dead.
 */
import { randomBytes } from 'node:crypto';
import * as nodeFs from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { ioError, systemCode } from '../base/errors.ts';
import { LOCK_INFO_NAME, LOCK_NAME } from './file-names.ts';
import type { DirectoryLock, LockHolder } from './file-system.ts';
import { ask, type Listener, listen, pipeAddress, readInfo, socketAddress } from './lock-socket.ts';
import { claim, locked, processLocks } from './open-registry.ts';
import { systemFailure } from './system-error.ts';

/** How long rivals that neither go nor win (a stopped process) are waited for. */
const electionMsMax = 5_000;
const electionPauseMs = 5;
const attemptsMax = 5;
const shownName = /^LOCK\.[0-9a-f]{12}-[0-9a-f]{16}$/;
const hiddenName = /^LOCK\.[0-9a-f]{12}-[0-9a-f]{16}~$/;

/** Takes `directory` (which exists) for this process; LOCKED with the holder in the context when it is taken. */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const canonical = wrapped('realpath', directory, () => nodeFs.realpathSync(directory));
  if (!wrapped('stat', directory, () => nodeFs.statSync(canonical)).isDirectory())
    throw systemFailure('ENOTDIR', 'lock', directory);
  const holder: LockHolder = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  const unclaim = claim(processLocks(), canonical, directory, holder);
  try {
    const held = await (process.platform === 'win32' ? takePipe : takeSocketOrRetry)(canonical, holder);
    let released: Promise<void> | undefined;
    return {
      answer: (question, give) => held.listener.answer(question, give),
      release: () => (released ??= held.giveBack().finally(unclaim)),
    };
  } catch (error) {
    unclaim();
    throw error instanceof Taken ? locked(directory, error.holder) : error;
  }
}

interface Held {
  readonly listener: Listener;
  giveBack(): Promise<void>;
}

/** Somebody else has the directory. */
class Taken extends Error {
  readonly holder: LockHolder;

  constructor(holder: LockHolder) {
    super('taken');
    this.holder = holder;
  }
}

async function takePipe(directory: string, holder: LockHolder): Promise<Held> {
  const address = pipeAddress(directory);
  let listener: Listener;
  try {
    listener = await listen(address, directory, holder);
  } catch (error) {
    if (systemCode(error) !== 'EADDRINUSE' && systemCode(error) !== 'EACCES') throw error;
    const answer = await ask(address, directory, true);
    throw new Taken((answer.state === 'alive' ? answer.holder : undefined) ?? readInfo(directory));
  }
  writeInfo(directory, holder);
  const giveBack = async (): Promise<void> => {
    nodeFs.rmSync(`${directory}/${LOCK_INFO_NAME}`, { force: true });
    await listener.close();
  };
  return { listener, giveBack };
}

/** A winner's sweep may take the name of an opener that was not listening yet: it comes back with a new one. */
async function takeSocketOrRetry(directory: string, holder: LockHolder): Promise<Held> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await takeSocket(directory, holder);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || attempt === attemptsMax) throw error;
    }
  }
}

async function takeSocket(directory: string, holder: LockHolder): Promise<Held> {
  // Held while we listen: an address may lead through it, and the listener unlinks its first name when it is closed.
  const descriptor = wrapped('open', directory, () => nodeFs.openSync(directory, 'r'));
  const address = (name: string): string => socketAddress(directory, name, descriptor);
  const time = Date.now().toString(16).padStart(12, '0');
  const shown = `${LOCK_NAME}.${time}-${randomBytes(8).toString('hex')}`;
  const hidden = `${shown}~`;
  let listening: Listener | undefined;
  let own: nodeFs.Stats | undefined;
  try {
    listening = await listen(address(hidden), `${directory}/${hidden}`, holder);
    rename(directory, hidden, shown);
    // Before it is LOCK: afterwards nothing may fail.
    own = nodeFs.statSync(`${directory}/${shown}`, { throwIfNoEntry: false });
    await elect(directory, address, shown, hidden, holder);
  } catch (error) {
    for (const name of [shown, hidden]) nodeFs.rmSync(`${directory}/${name}`, { force: true });
    await listening?.close();
    nodeFs.closeSync(descriptor);
    throw error;
  }
  // Tidiness; it must not fail an owner.
  await sweep(directory, address).catch(() => undefined);
  const listener = listening;
  const giveBack = async (): Promise<void> => {
    try {
      const there = nodeFs.statSync(`${directory}/${LOCK_NAME}`, { throwIfNoEntry: false });
      // Somebody may have deleted the directory under us, and another owner may sit in a new one of the same name.
      if (there !== undefined && there.ino === own?.ino && there.dev === own.dev) {
        nodeFs.rmSync(`${directory}/${LOCK_INFO_NAME}`, { force: true });
        nodeFs.rmSync(`${directory}/${LOCK_NAME}`, { force: true });
      }
    } catch (error) {
      throw ioError('unlink', `${directory}/${LOCK_NAME}`, error);
    } finally {
      await listener.close();
      nodeFs.closeSync(descriptor);
    }
  };
  return { listener, giveBack };
}

/** Steps 1 to 5 above; returns as the owner or throws Taken. */
async function elect(
  directory: string,
  address: (name: string) => string,
  shown: string,
  hidden: string,
  holder: LockHolder,
): Promise<void> {
  const lockPath = `${directory}/${LOCK_NAME}`;
  const deadline = performance.now() + electionMsMax;
  for (;;) {
    let rival: string | undefined;
    for (const name of namesIn(directory)) {
      if (name === shown || !shownName.test(name)) continue;
      const { state } = await ask(address(name), `${directory}/${name}`, false);
      if (state === 'dead') nodeFs.rmSync(`${directory}/${name}`, { force: true });
      if (state === 'alive' && (rival === undefined || name < rival)) rival = name;
    }
    const owner = await ask(address(LOCK_NAME), lockPath, true);
    if (owner.state === 'alive') throw new Taken(owner.holder ?? readInfo(directory));
    if (rival === undefined) {
      writeInfo(directory, holder);
      return rename(directory, shown, LOCK_NAME);
    }
    if (performance.now() > deadline) {
      const answer = await ask(address(rival), `${directory}/${rival}`, true);
      throw new Taken((answer.state === 'alive' ? answer.holder : undefined) ?? {});
    }
    const yields = rival < shown;
    if (yields) rename(directory, shown, hidden);
    await delay(electionPauseMs);
    if (yields) rename(directory, hidden, shown);
  }
}

/** Removes what openers left that died before they were shown. */
async function sweep(directory: string, address: (name: string) => string): Promise<void> {
  for (const name of namesIn(directory)) {
    if (!hiddenName.test(name)) continue;
    // One that lives may be between binding and listening, and look dead: it then fails to show itself, as it should.
    const { state } = await ask(address(name), `${directory}/${name}`, false);
    if (state === 'dead') nodeFs.rmSync(`${directory}/${name}`, { force: true });
  }
}

function namesIn(directory: string): string[] {
  return wrapped('scandir', directory, () => nodeFs.readdirSync(directory));
}

function rename(directory: string, from: string, to: string): void {
  wrapped('rename', `${directory}/${from}`, () =>
    nodeFs.renameSync(`${directory}/${from}`, `${directory}/${to}`),
  );
}

/** For people and for openers that find the owner's event loop blocked; never proof of anything, so it may fail. */
function writeInfo(directory: string, holder: LockHolder): void {
  try {
    nodeFs.writeFileSync(`${directory}/${LOCK_INFO_NAME}`, `${JSON.stringify(holder)}\n`);
  } catch {
    // A full disk must not keep a database from being opened and read.
  }
}

function wrapped<T>(operation: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw ioError(operation, path, error);
  }
}
