/**
 * What a merge is refused with before it is written: without an operator, and with an operand that the operator does not take.
 */
import { invalid } from '../../base/errors.ts';
import { operatorMissing } from '../../base/merge-operator.ts';
import { operandList } from '../../base/operands.ts';
import { isUnawaited } from '../../base/unawaited.ts';
import type { Tree } from '../tree.ts';
import { checkMembers } from '../write-wait.ts';
import { storedOperator } from './merged-value.ts';

/**
 * @param options of a merge that takes none, in a batch or a transaction
 * @throws invalid `MERGE_OPERATOR_MISSING`, `OPTION_INVALID`
 */
export function checkMergeable(tree: Tree, options?: object): void {
  if (options !== undefined) checkMembers(options, false, false);
  if (tree.code.operator === undefined) throw operatorMissing(tree.name, undefined, storedOperator(tree));
}

/** The operand as a list of one. @throws invalid `OPERAND_INVALID`, `MERGE_FAILED` */
export function checkedOperand(tree: Tree, operand: Uint8Array): Uint8Array {
  checkMergeable(tree);
  const operator = tree.code.operator!;
  let wanted: string | undefined;
  try {
    wanted = operator.refuse?.(operand);
    if (isUnawaited(wanted)) throw new Error('it returned a promise, which nobody awaits');
  } catch (cause) {
    const message = `merge operator '${operator.name}' of keyspace '${tree.name}' failed when it was asked about an operand`;
    throw invalid('MERGE_FAILED', message, { keyspace: tree.name, operator: operator.name }, cause);
  }
  if (wanted === undefined) return operandList(operand);
  throw invalid(
    'OPERAND_INVALID',
    `merge operator '${operator.name}' of keyspace '${tree.name}' takes ${wanted}; got ${operand.length} bytes`,
    { keyspace: tree.name, operator: operator.name, wanted, got: operand.length },
  );
}
