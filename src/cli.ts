export type Command = 'serve' | 'check' | 'check as JSON' | 'help' | 'unknown'

export const usage = `Usage: node dist/main.js [--check [--json] | --help]

  without arguments   serves
  --check             checks the settings, their safety, and whether Hilos accepts the token; exits with 1 on a failure
  --check --json      does the same and prints one JSON object
  --help              prints this text
`

/** It repeats no argument, because an argument can be a secret in the wrong place. */
export const unknownArguments =
  'hilos-bff does not understand these arguments: there are --check, --check --json and --help.\n'

/** @param args the arguments after the name of the script */
export function commandOf(args: readonly string[]): Command {
  return args.length === 0 ? 'serve' : (commands.get([...args].sort().join(' ')) ?? 'unknown')
}

const commands: ReadonlyMap<string, Command> = new Map([
  ['--check', 'check'],
  ['--check --json', 'check as JSON'],
  ['--help', 'help'],
])
