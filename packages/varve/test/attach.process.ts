/** Tries to attach what another process sends, and answers with the code of the refusal. */
import process from 'node:process';
import { attach } from 'varve';

process.once('message', (handle) => {
  void attach(handle).then(
    () => process.send!('attached', () => process.exit()),
    (error: { code: string }) => process.send!(error.code, () => process.exit()),
  );
});
