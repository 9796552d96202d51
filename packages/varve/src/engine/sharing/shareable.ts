/**
 * Which databases can be shared: those of which other threads can open the files, and whose log is their own. Asked by the first
 * `share()`, before anything is made for it.
 */
import { invalid } from '../../base/errors.ts';
import type { Core } from '../core.ts';

/** @throws invalid `SHARE_UNSUPPORTED` */
export function checkShareable(core: Core): void {
  const { options, fs, runner, log } = core;
  const refuse = (why: string): never => {
    throw invalid('SHARE_UNSUPPORTED', `the database can not be shared: ${why}`, { path: core.state.path });
  };
  if (options.readOnly) refuse('it is open for reading only; each thread can open it so for itself');
  if (fs.threads !== 'node' || runner.kind !== 'threads') {
    refuse(`other threads can not open the files of its file system (${fs.name})`);
  }
  if (log === undefined) refuse('its batches come from an outside log, on this thread');
}
