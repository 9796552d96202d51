/**
 * The part of cli-progress 3.12 that is used: the package comes without types of its own.
 */
declare module 'cli-progress' {
  interface BarOptions {
    readonly format: string;
    readonly stream: NodeJS.WritableStream;
    readonly fps?: number;
    readonly hideCursor?: boolean;
    readonly clearOnComplete?: boolean;
    readonly barCompleteChar?: string;
    readonly barIncompleteChar?: string;
    readonly barsize?: number;
    readonly gracefulExit?: boolean;
  }

  export class SingleBar {
    constructor(options: BarOptions);
    start(total: number, value: number, payload?: Readonly<Record<string, string>>): void;
    update(value: number, payload?: Readonly<Record<string, string>>): void;
    setTotal(total: number): void;
    stop(): void;
  }
}
