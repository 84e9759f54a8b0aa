import { argv, stderr, stdout } from 'node:process'
import { parseArgs } from 'node:util'
import { readCallers } from '../src/access/callers-file.ts'
import { createKey, keyHash } from '../src/access/keys.ts'

/** Makes a caller's key, and the entry of the callers' file that lets it in. The key is shown once and kept nowhere. */
const usage = 'Usage: npm run keygen -- <name> [--profile viewer|agent|full] [--flows <flow id>,<flow id>]\n'

const given = readArguments()
if (given === null) fail('The arguments are not understood.')
else {
  const key = createKey()
  const entry = { name: given.name, keySha256: keyHash(key), profile: given.profile, flows: given.flows }
  const read = readCallers(JSON.stringify({ callers: [entry] }))
  if ('problems' in read) fail(`${read.problems.join('; ').replaceAll('callers[0].', '')}.`)
  else {
    stdout.write(`The key, for the caller alone. It is not shown again:\n\n${key}\n\n`)
    stdout.write(`The entry, for "callers" in the file that CALLERS_FILE names:\n\n${JSON.stringify(entry, null, 2)}\n`)
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
