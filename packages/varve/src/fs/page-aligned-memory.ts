/**
 * Memory that begins at a page, as direct transfers (direct-handle.ts) want it. JavaScript can not choose where an array
 * buffer lies, but the linear memory of WebAssembly always begins at a page. Never freed or moved while it is referenced.
 */

/** The part of WebAssembly that is used: it is no part of the language, and the types of Node do not have it. */
interface WebAssemblyHost {
  readonly WebAssembly: {
    readonly Memory: new (limits: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer };
  };
}

const WASM_PAGE_BYTES = 65_536;

/** At least `bytes`, in whole pages of WebAssembly; zeroed. */
export function pageAlignedMemory(bytes: number): Uint8Array {
  const { Memory } = (globalThis as unknown as WebAssemblyHost).WebAssembly;
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
  return new Uint8Array(new Memory({ initial: pages, maximum: pages }).buffer);
}
