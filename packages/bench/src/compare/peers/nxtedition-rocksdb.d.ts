/**
 * The part of @nxtedition/rocksdb that the bench calls: the package has no types of its own. The names that begin with an
 * underscore are its synchronous calls, which it documents nowhere else but which its authors use.
 */
declare module '@nxtedition/rocksdb' {
  export interface ChainedBatch {
    _put(key: Uint8Array, value: Uint8Array, options?: object): void;
    _del(key: Uint8Array, options?: object): void;
    _writeSync(options?: { sync?: boolean }): void;
    _clear(): void;
    _closeSync(): void;
  }

  export interface RocksIterator {
    _seekSync(target: Uint8Array): void;
    /** Keys and values in turn. */
    _nextvSync(count: number): { rows: Uint8Array[]; finished: boolean };
    _closeSync(): void;
  }

  export class RocksLevel {
    /** A handle is that of a database that is open in this process. */
    constructor(location: string | bigint, options: object);
    readonly handle: bigint;
    open(): Promise<void>;
    close(): Promise<void>;
    batch(): ChainedBatch;
    iterator(options?: object): RocksIterator & { close(): Promise<void> };
    getProperty(name: string): string;
    _getManySync(keys: Uint8Array[], options?: object): (Uint8Array | undefined)[];
  }
}
