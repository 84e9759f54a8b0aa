import t, { type Test } from 'tap'
import { createCallerKeys } from '../../../src/access/authentication.ts'
import { parseCallers } from '../../../src/access/callers-file.ts'
import { startProcess } from '../../harness/process.ts'
import { checkRowsInTurn, difference } from '../../harness/table.ts'

const flow = 'b2c0f1de-0000-4000-8000-00000000000a'
const usage = 'Usage: npm run keygen -- <name> [--profile viewer|agent|full] [--flows <flow id>,<flow id>]\n'

async function keygen(t: Test, args: readonly string[]) {
  const { ended, stdout, stderr } = startProcess(t, 'tools/keygen.ts', {}, { args, isCovered: true })
  return { status: await ended, stdout: stdout(), stderr: stderr() }
}

t.test('keygen prints a key, and an entry of the callers file that accepts it and does not contain it', async (t) => {
  const rows = [
    [['support-web'], { name: 'support-web', profile: 'viewer', flows: null }],
    [
      ['--flows', `${flow},${flow.replace('a', 'b')}`, '--profile=full', 'x'],
      { name: 'x', profile: 'full', flows: new Set([flow, flow.replace('a', 'b')]) },
    ],
  ] as const
  const check = async ([args, caller]: (typeof rows)[number]) => {
    const { status, stdout, stderr } = await keygen(t, args)
    const [, key = '', entry = ''] =
      /^The key. .*:\n\n(.*)\n\nThe entry. .*CALLERS_FILE.*:\n\n(\{.*\})\n$/s.exec(stdout) ?? []
    const read = parseCallers(`{"callers": [${entry}]}`)
    const found = 'callers' in read && createCallerKeys(read.callers)(key)
    return difference([status, stderr, entry.includes(key), found], [0, '', false, { ...caller, kind: 'key' }])
  }
  await checkRowsInTurn(t, rows, check, 'the key is that of the caller')
})

t.test('keygen with invalid arguments prints the problem and the usage, and no key', async (t) => {
  const rows = [
    [[], 'name: must be 1 to 64 letters, digits and . _ @ -.'],
    [['a', '--flows', 'x', '--profile', 'y'], 'profile: must be one of viewer, agent, full; flows[0]: must be a UUID.'],
    [['a', '--flows', ''], 'flows[0]: must be a UUID.'],
    [['a', 'b'], 'The arguments are not valid.'],
    [['a', '--admin'], 'The arguments are not valid.'],
    [['a', '--profile'], 'The arguments are not valid.'],
  ] as const
  const check = async ([args, sentence]: (typeof rows)[number]) =>
    difference(await keygen(t, args), { status: 1, stdout: '', stderr: `${sentence}\n${usage}` })
  await checkRowsInTurn(t, rows, check, 'the problem is printed')
})
