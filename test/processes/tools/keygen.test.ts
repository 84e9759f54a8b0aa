import t, { type Test } from 'tap'
import { createCallerKeys } from '../../../src/access/caller-keys.ts'
import { readCallers } from '../../../src/access/callers-file.ts'
import { startProcess } from '../../harness/process.ts'

const flow = 'b2c0f1de-0000-4000-8000-00000000000a'
const usage = 'Usage: npm run keygen -- <name> [--profile viewer|agent|full] [--flows <flow id>,<flow id>]\n'

async function keygen(t: Test, ...args: string[]) {
  const { ended, stdout, stderr } = startProcess(t, 'tools/keygen.ts', {}, [], args)
  return { status: await ended, stdout: stdout(), stderr: stderr() }
}

t.test('keygen, when asked for a key, prints it with the entry that lets it in', async (t) => {
  for (const [args, caller] of [
    [['support-web'], { name: 'support-web', profile: 'viewer', flows: null }],
    [['support-web', '--profile', 'agent'], { name: 'support-web', profile: 'agent', flows: null }],
    [
      ['--flows', `${flow},${flow.replace('a', 'b')}`, '--profile=full', 'x'],
      { name: 'x', profile: 'full', flows: new Set([flow, flow.replace('a', 'b')]) },
    ],
  ] as const) {
    const { status, stdout, stderr } = await keygen(t, ...args)
    t.equal(status, 0)
    t.equal(stderr, '')
    const [, key = '', entry = ''] =
      /^The key, .*:\n\n(.*)\n\nThe entry, .*CALLERS_FILE.*:\n\n(\{.*\})\n$/s.exec(stdout) ?? []
    t.notOk(entry.includes(key))
    const read = readCallers(`{"callers": [${entry}]}`)
    t.strictSame('callers' in read && createCallerKeys(read.callers)(key), { ...caller, kind: 'key' })
  }
})

t.test('keygen, when the arguments are wrong, says so with the usage and prints no key', async (t) => {
  for (const [args, sentence] of [
    [[], 'name: must be 1 to 64 letters, digits and . _ @ -.'],
    [['two words'], 'name: must be 1 to 64 letters, digits and . _ @ -.'],
    [['a', '--profile', 'admin'], 'profile: must be one of viewer, agent, full.'],
    [['a', '--flows', 'x', '--profile', 'y'], 'profile: must be one of viewer, agent, full; flows[0]: must be a UUID.'],
    [['a', '--flows', ''], 'flows[0]: must be a UUID.'],
    [['a', 'b'], 'The arguments are not understood.'],
    [['a', '--admin'], 'The arguments are not understood.'],
    [['a', '--profile'], 'The arguments are not understood.'],
  ] as const) {
    t.strictSame(await keygen(t, ...args), { status: 1, stdout: '', stderr: `${sentence}\n${usage}` })
  }
})
