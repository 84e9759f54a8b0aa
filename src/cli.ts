/** What the process is started for. */
export type Command = 'serve' | 'check' | 'check as JSON' | 'help' | 'unknown'

export const usage = `Usage: node dist/main.js [--check [--json] | --help]

  without arguments   serves
  --check             says what is on, how safe it is and whether Hilos can be asked; ends with 1 if something failed
  --check --json      says the same as one JSON object
  --help              says this
`

/** One sentence that repeats no argument: it could be a secret in the wrong place. */
export const unknownArguments =
  'hilos-bff does not understand these arguments: there are --check, --check --json and --help.\n'

/** @param args those behind the name of the script */
export function commandOf(args: readonly string[]): Command {
  switch ([...args].sort().join(' ')) {
    case '':
      return args.length === 0 ? 'serve' : 'unknown'
    case '--check':
      return 'check'
    case '--check --json':
      return 'check as JSON'
    case '--help':
      return 'help'
    default:
      return 'unknown'
  }
}
