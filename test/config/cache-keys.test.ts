import { randomBytes } from 'node:crypto'
import t from 'tap'
import { parseCacheKeys } from '../../src/config/cache-keys.ts'
import { checkRows, difference } from '../harness/table.ts'

const keyOf = (byte: number) => Buffer.alloc(32, byte).toString('base64')
const [names, one, two] = [keyOf(0), keyOf(1), keyOf(2)] as const
const good = { names, seal: [{ id: 1, key: one }] }

function problemsOf(document: unknown): readonly string[] {
  const file = parseCacheKeys(typeof document === 'string' ? document : JSON.stringify(document))
  return 'problems' in file ? file.problems : []
}

t.test('a valid file gives its keys in their order, as secrets', async (t) => {
  const keys = [
    { id: 255, key: two },
    { id: 0, key: one },
  ]
  const file = parseCacheKeys(JSON.stringify({ names, seal: keys }))
  if ('problems' in file) return t.fail(file.problems.join())
  t.equal(file.keys.names.reveal(), names)
  t.strictSame(
    file.keys.seal.map(({ id, key }) => ({ id, key: key.reveal() })),
    keys,
  )
  t.notMatch(JSON.stringify(file), one)
  const most = Array.from({ length: 16 }, (_, id) => ({ id, key: randomBytes(32).toString('base64') }))
  t.strictSame(problemsOf({ names, seal: most }), [])
})

const keyProblem = 'must be 32 bytes in base64 (44 characters)'
const idProblem = 'seal[0].id: must be a whole number from 0 to 255'
const countProblem = 'seal: must be an array of 1 to 16 keys'

t.test('each wrong part is named, without its value', async (t) => {
  const canary = Buffer.from('secret-canary-secret-canary-32-b').toString('base64')
  const wrongKeys = [
    ...[undefined, null, 7, '', [one], one.slice(1), `${one} `, one.replace('=', ''), canary.slice(4), canary + canary],
    // Another spelling of the same bytes, and the alphabet of URLs.
    ...[`${one.slice(0, -2)}F=`, Buffer.alloc(32, 255).toString('base64url')],
  ]
  const rows: readonly (readonly [document: unknown, problems: readonly string[]])[] = [
    ...['', 'secret-canary', '{"names": secret-canary}'].map((text) => [text, ['the file: is not JSON']] as const),
    ...['null', '[]', '"secret-canary"'].map((text) => [text, ['the file: must be an object']] as const),
    [`{"names": "${canary}",${JSON.stringify(good).slice(1)}`, ['the file: has a property twice, line 1 column 58']],
    [{ ...good, name: canary }, ['the file: has an unknown property name']],
    [{ ...good, [canary]: 1 }, ['the file: has an unknown property']],
    [{ ...good, seal: [{ id: 1, key: one, use: canary }] }, ['seal[0]: has an unknown property use']],
    ...wrongKeys.map((key) => [{ ...good, names: key }, [`names: ${keyProblem}`]] as const),
    ...wrongKeys.map((key) => [{ ...good, seal: [{ id: 1, key }] }, [`seal[0].key: ${keyProblem}`]] as const),
    ...[undefined, null, -1, 256, 1.5, '1', canary].map(
      (id) => [{ ...good, seal: [{ id, key: one }] }, [idProblem]] as const,
    ),
    ...[undefined, {}, canary, []].map((seal) => [{ ...good, seal }, [countProblem]] as const),
    [{ ...good, seal: [canary] }, ['seal[0]: must be an object']],
    [{ ...good, seal: Array(1000).fill({ id: 1 }) }, [countProblem, `seal[0].key: ${keyProblem}`]],
    [{}, [`names: ${keyProblem}`, countProblem]],
  ]
  const check = ([document, problems]: (typeof rows)[number]) => {
    const found = problemsOf(document)
    if (/canary|c2VjcmV0/.test(found.join())) return 'a value is shown'
    // Of many equal problems, the first ones.
    return difference(found.slice(0, problems.length), problems)
  }
  checkRows(t, rows, check, 'each document')
  t.ok(problemsOf({ ...good, seal: Array(1000).fill(1) }).length < 20, 'problems are bounded')
})

t.test('no id and no key is there twice', async (t) => {
  const seal = [
    { id: 1, key: one },
    { id: 1, key: two },
    { id: 2, key: one },
    { id: 3, key: names },
  ]
  t.strictSame(problemsOf({ names, seal }), [
    'seal[1].id: is the same as seal[0].id',
    'seal[2].key: is the same as seal[0].key',
    'seal[3].key: is the same as names',
  ])
})
