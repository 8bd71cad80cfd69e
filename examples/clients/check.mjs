// What the examples say as TAP, the Test Anything Protocol.

let count = 0;

export function check(what, holds) {
  count += 1;
  console.log(`${holds ? '' : 'not '}ok ${count} - ${what}`);
  if (!holds) process.exitCode = 1;
}

// The error of PostgreSQL, with code, detail and hint, wherever the client puts it.
export function databaseError(error) {
  const inner = [error.cause, error.driverError, error.original, error.meta?.driverAdapterError?.cause];
  return inner.find((e) => (e?.code ?? e?.originalCode) !== undefined) ?? error;
}

export async function refused(what, promise, code, hint) {
  const error = await promise.then(() => null, databaseError);
  const seen = error?.originalCode ?? error?.code;
  check(`${what}: ${code}`, seen === code && (!hint || hint.test(error.hint ?? '')));
  if (seen !== code) console.log(`# ${seen} ${error?.message}`);
}
