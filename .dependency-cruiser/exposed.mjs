/**
 * The files that each folder of packages/varve/src shows to the other folders; all its other files are private.
 * A folder that is missing here shows all its files.
 *
 *   wal: ['writer.ts', 'reader.ts'],
 */
export const exposed = {};
