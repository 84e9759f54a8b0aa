import t from 'tap'
import { canonicalHost } from '../../src/common/host.ts'
import { checkRows, difference } from '../harness/table.ts'

t.test('every spelling of a host is the same text', async (t) => {
  const groups = [
    ['ops.example', 'OPS.example', 'ops.example.', 'ops.example:3001', 'ops.example.:1'],
    ['localhost', 'LocalHost', 'localhost.', 'localhost:3001'],
    ['10.0.0.1', '10.0.0.1:3001', '10.0.0.1.', '10.1', '0x0a.0.0.1', '::ffff:10.0.0.1', '[::ffff:a00:1]:3001'],
    ['::1', '[::1]', '[::1]:3001', '0:0:0:0:0:0:0:1', '[0::0001]'],
    ['fd00::A', '[FD00::a]:3001'],
    ['fe80::1', '[fe80::1]:3001', 'fe80::1%eth0'],
    ['opsexample'],
    ['ops.example.evil.example'],
  ]
  const canonical = groups.map((group) => new Set(group.map(canonicalHost)))
  t.strictSame(
    canonical.map(({ size }) => size),
    groups.map(() => 1),
  )
  t.equal(new Set(canonical.flatMap((each) => [...each])).size, groups.length, 'no two hosts are the same text')
})

t.test('a text that is not a host has no spelling', async (t) => {
  const texts = ['', ':3001', 'a b', '1.2.3.4.5', '256.0.0.1', '[::1', '[fe80::1%eth0]', 'ops.example:x']
  checkRows(t, texts, (text) => difference(canonicalHost(text), null), 'null')
})
