/**
 * The manifest of this open: everything that recovery found, under the next incarnation, durable before anything is written.
 * Older manifests are removed before the first edit is appended, so there are never two that tell different stories.
 */
import { inDirectory, manifestName } from '../fs/file-names.ts';
import type { FileSystem } from '../fs/file-system.ts';
import { withEnd } from '../manifest/incarnation-ends.ts';
import { createManifest } from '../manifest/manifest-file.ts';
import type { Version } from '../manifest/version.ts';
import type { Log } from '../wal/log.ts';
import { replayFloor } from './housekeeping.ts';
import type { DirectoryContents } from './recovery.ts';
import type { EngineState } from './state.ts';

export interface FirstManifest {
  readonly version: Version;
  readonly manifest: { readonly path: string; readonly number: number; readonly bytes: number };
}

export function writeFirstManifest(
  fs: FileSystem,
  state: EngineState,
  recovered: Version,
  contents: DirectoryContents,
  fileNumbers: SharedArrayBuffer,
  log: Log | undefined,
): FirstManifest {
  const counter = new BigInt64Array(fileNumbers);
  const number = Number(Atomics.add(counter, 0, 1n));
  const logSegment = log?.firstNeeded(replayFloor(state)) ?? recovered.logSegment;
  const oldest = (log?.readable()[0]?.firstSequence ?? state.visible + 1) - 1;
  const version: Version = {
    ...recovered,
    incarnation: recovered.incarnation + 1,
    lastSequence: state.visible,
    nextFileNumber: Number(Atomics.load(counter, 0)),
    storedTime: state.time.now(),
    logSegment: Math.max(recovered.logSegment, logSegment),
    incarnationEnds: withEnd(recovered.incarnationEnds, recovered.incarnation, state.visible, oldest),
  };
  const bytes = createManifest(fs, state.path, number, version);
  for (const old of contents.manifests) fs.remove(inDirectory(state.path, manifestName(old)));
  if (contents.manifests.length > 0) fs.syncDirectory(state.path);
  return { version, manifest: { path: inDirectory(state.path, manifestName(number)), number, bytes } };
}
