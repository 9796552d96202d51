/**
 * `db.write`: hands a filled batch to the commit pipeline, at once or when there is room for it.
 */
import type { Batch, WriteWait } from './keyspace-types.ts';
import { BatchHandle } from './batch.ts';
import type { Session } from './core.ts';
import { checkWait, writeAwaited } from './write-wait.ts';

export function writeBatch(
  session: Session,
  batch: Batch,
  wait: WriteWait | undefined,
): number | Promise<number> {
  const buffer = BatchHandle.bufferOf(batch, session);
  let release = (): void => undefined;
  let isWaiting = true;
  const commit = (): number => {
    const sequence = session.pipeline.commit(buffer);
    buffer.clear();
    isWaiting = false;
    release();
    return sequence;
  };
  if (wait === undefined) return commit();
  checkWait(wait);
  const written = writeAwaited(session, buffer.length, wait, commit);
  if (!isWaiting) return written;
  // It waits for room: until then nobody else may fill, empty or write the batch.
  release = BatchHandle.hold(batch);
  return written.catch((error: unknown) => {
    if (isWaiting) release();
    throw error;
  });
}
