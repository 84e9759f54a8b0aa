import t from 'tap'
import { commandOf } from '../src/cli.ts'

t.test('arguments, when they are understood, are a command, and otherwise none is guessed', async (t) => {
  const table = [
    [[], 'serve'],
    [['--check'], 'check'],
    [['--check', '--json'], 'check as JSON'],
    [['--json', '--check'], 'check as JSON'],
    [['--help'], 'help'],
    [['--json'], 'unknown'],
    [[''], 'unknown'],
    [['--check', '--check'], 'unknown'],
    [['--check', '--help'], 'unknown'],
    [['check'], 'unknown'],
    [['--check=true'], 'unknown'],
  ] as const
  for (const [args, command] of table) t.equal(commandOf(args), command, JSON.stringify(args))
})
