/** Finds the footer of a table, whose length its last bytes tell. Used by readers and by the job that opens for them. */
import { corruption } from '../base/errors.ts';
import { type FileHandle, readFully } from '../fs/file-system.ts';
import { FOOTER_BYTES, FOOTER_TAIL_BYTES, footerLength } from './format.ts';

/** The bytes of the footer, for `decodeFooter`. @throws VarveError corruption, io. */
export function readFooterBytes(file: FileHandle, size: number, path: string): Uint8Array {
  let footer = new Uint8Array(Math.min(size, FOOTER_BYTES));
  readAt(file, footer, size - footer.length, path);
  if (footer.length < FOOTER_TAIL_BYTES) {
    throw corruption('not a table: shorter than a footer', { file: path, offset: 0, got: size });
  }
  const length = footerLength(footer.subarray(footer.length - FOOTER_TAIL_BYTES), size, path);
  if (length !== footer.length) {
    footer = new Uint8Array(length);
    readAt(file, footer, size - length, path);
  }
  return footer;
}

function readAt(file: FileHandle, target: Uint8Array, offset: number, path: string): void {
  if (readFully(file, target, 0, target.length, offset) < target.length) {
    throw corruption('the file ends inside its footer', { file: path, offset });
  }
}
