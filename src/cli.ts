export type Command = 'serve' | 'check' | 'check as JSON' | 'keygen' | 'help' | 'unknown'

export const usage = `Usage: node dist/main.js [--check [--json] | keygen … | --help]

  without arguments   serves
  --check             checks the settings, their safety, and whether Hilos accepts the token; exits with 1 on a failure
  --check --json      does the same and prints one JSON object
  keygen NAME         prints a new key for the caller NAME, and its entry for the callers file
  keygen NAME --secrets FOLDER
                      makes the files of a first deployment, and asks for the Hilos token, or reads it from a pipe
  keygen --cache      prints new keys of the shared tier, for the file that CACHE_KEY_FILE names
  --help              prints this text
`

/** It repeats no argument, because an argument can be a secret in the wrong place. */
export const unknownArguments =
  'hilos-bff does not understand these arguments: there are --check, --check --json, keygen and --help.\n'

/** @param args the arguments after the name of the script */
export function commandOf(args: readonly string[]): Command {
  if (args[0] === 'keygen') return 'keygen'
  return args.length === 0 ? 'serve' : (commands.get([...args].sort().join(' ')) ?? 'unknown')
}

const commands: ReadonlyMap<string, Command> = new Map([
  ['--check', 'check'],
  ['--check --json', 'check as JSON'],
  ['--help', 'help'],
])
