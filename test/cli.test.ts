import t from 'tap'
import { commandOf } from '../src/cli.ts'
import { checkRows, difference } from './harness/table.ts'

t.test('arguments are a command only when all of them are known', async (t) => {
  const table = [
    [[], 'serve'],
    [['--check'], 'check'],
    [['--check', '--json'], 'check as JSON'],
    [['--json', '--check'], 'check as JSON'],
    [['--help'], 'help'],
    [['keygen'], 'keygen'],
    [['keygen', 'web', '--secrets', 'x'], 'keygen'],
    [['--check', 'keygen'], 'unknown'],
    [['--json'], 'unknown'],
    [[''], 'unknown'],
    [['--check', '--check'], 'unknown'],
    [['--check', '--help'], 'unknown'],
    [['check'], 'unknown'],
    [['--check=true'], 'unknown'],
  ] as const
  checkRows(t, table, ([args, command]) => difference(commandOf(args), command), 'each list of arguments')
})
