import { argv, stderr, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import { parseCallers } from '../src/access/callers-file.ts'
import { createKey, keyHash } from '../src/access/keys.ts'

// `npm run keygen`: makes a key for a caller, and the entry for the callers file. The key is shown once and not stored.
const usage = 'Usage: npm run keygen -- <name> [--profile viewer|agent|full] [--flows <flow id>,<flow id>]\n'

const given = readArguments()
if (given === null) fail('The arguments are not valid.')
else {
  const key = createKey()
  const entry = { name: given.name, keySha256: keyHash(key), profile: given.profile, flows: given.flows }
  const read = parseCallers(JSON.stringify({ callers: [entry] }))
  if ('problems' in read) fail(`${read.problems.join('; ').replaceAll('callers[0].', '')}.`)
  else {
    stdout.write(`The key. Give it only to the caller; it is not shown again:\n\n${key}\n\n`)
    stdout.write(
      `The entry. Add it to "callers" in the file that CALLERS_FILE names:\n\n${JSON.stringify(entry, null, 2)}\n`,
    )
  }
}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      args: argv.slice(2),
      allowPositionals: true,
      options: { profile: { type: 'string', default: 'viewer' }, flows: { type: 'string' } },
    })
    const [name, ...others] = positionals
    return others.length > 0 ? null : { name, profile: values.profile, flows: values.flows?.split(',') }
  } catch {
    return null
  }
}

function fail(sentence: string): void {
  stderr.write(`${sentence}\n${usage}`)
  process.exitCode = 1
}
