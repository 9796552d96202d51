/**
 * What this floor brings to an open database; handed to `open` by the package entry.
 */
import type { Maintenance } from '../engine/database.ts';
import { checkpoint } from './checkpoint.ts';
import { verify } from './verify.ts';

export const maintenance: Maintenance = { verify, checkpoint };
