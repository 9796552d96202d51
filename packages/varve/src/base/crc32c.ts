/**
 * CRC-32C (Castagnoli polynomial, reflected, as in iSCSI, RFC 3720), slicing by 16: about 0.55 ns a byte in plain code,
 * which beats a call into a native or wasm routine for log records of up to half a kilobyte. Words are loaded through a
 * DataView, because log records are not aligned; four byte loads for each take half as long again.
 * Check value: crc32c of the ASCII bytes "123456789" is 0xe3069283.
 */
import { viewOf } from './bytes.ts';

const POLYNOMIAL = 0x82f63b78;
const SLICES = 16;
/** Slice k at k * 256: what a byte does to the checksum when k bytes follow it. One array, since its base stays in a register. */
const table = makeTable();

function makeTable(): Int32Array {
  const made = new Int32Array(SLICES * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1;
    made[n] = c;
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256]!;
    made[at] = made[before & 255]! ^ (before >>> 8);
  }
  return made;
}

/** Checksum of [start, end), continuing from `previous` (0 to begin): crc32c(b, crc32c(a)) is that of a then b. */
export function crc32c(bytes: Uint8Array, start = 0, end: number = bytes.length, previous = 0): number {
  return crc32cOf(viewOf(bytes), start, end, previous);
}

/** The same for whoever keeps a view of the bytes: nothing is allocated. */
export function crc32cOf(view: DataView, start: number, end: number, previous: number): number {
  const t = table;
  let crc = ~previous;
  let i = start;
  for (; i + 16 <= end; i += 16) {
    const a = crc ^ view.getInt32(i, true);
    const b = view.getInt32(i + 4, true);
    const c = view.getInt32(i + 8, true);
    const d = view.getInt32(i + 12, true);
    crc =
      t[3840 + (a & 255)]! ^
      t[3584 + ((a >>> 8) & 255)]! ^
      t[3328 + ((a >>> 16) & 255)]! ^
      t[3072 + (a >>> 24)]! ^
      t[2816 + (b & 255)]! ^
      t[2560 + ((b >>> 8) & 255)]! ^
      t[2304 + ((b >>> 16) & 255)]! ^
      t[2048 + (b >>> 24)]! ^
      t[1792 + (c & 255)]! ^
      t[1536 + ((c >>> 8) & 255)]! ^
      t[1280 + ((c >>> 16) & 255)]! ^
      t[1024 + (c >>> 24)]! ^
      t[768 + (d & 255)]! ^
      t[512 + ((d >>> 8) & 255)]! ^
      t[256 + ((d >>> 16) & 255)]! ^
      t[d >>> 24]!;
  }
  for (; i < end; i++) crc = t[(crc ^ view.getUint8(i)) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}
