/**
 * `varve/mga`: indexes for hosts that have transactions of their own. Everything that it promises is exported here by name.
 */
export { TransactionInventory } from './mga/inventory.ts';
export type { InventoryOptions } from './mga/inventory.ts';
export type { MgaIndex, MgaScan, MoveOptions } from './mga/mga-index.ts';
export { openMgaIndex } from './mga/open-index.ts';
export type { MgaCursor } from './mga/scan.ts';
export type { MgaAlert, MgaAlertCode, MgaStatistics } from './mga/statistics.ts';
export { openInventory } from './mga/stored-inventory.ts';
export type { StoredInventoryOptions } from './mga/stored-inventory.ts';
export type {
  CommitWait,
  FrozenInventory,
  Inventory,
  MgaEntry,
  MgaIndexOptions,
  MgaRange,
  MgaSourceEntry,
  MgaThresholds,
  Tid,
  UniqueState,
  Xid,
  XidState,
} from './mga/types.ts';
export type { VacuumReport } from './mga/vacuum.ts';
