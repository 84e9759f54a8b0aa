import t from 'tap'
import { createDriftTally } from '../../../src/upstream/document/drift.ts'

/** A tally that also lists what it tells first. */
function arrange(maxPaths?: number) {
  const first: string[] = []
  const tally = createDriftTally((kind, path) => first.push(`${kind} ${path}`), maxPaths)
  return { ...tally, first }
}

t.test('drift, when the same place strays again, is told once and counted, the most frequent first', async (t) => {
  const { report, counts, first } = arrange()
  t.strictSame(counts(), [])
  for (const path of ['a', 'b', 'c', 'b', 'b', 'c']) report('wrong_type', path)
  t.strictSame(first, ['wrong_type a', 'wrong_type b', 'wrong_type c'])
  t.strictSame(counts(), [
    { kind: 'wrong_type', path: 'b', count: 3 },
    { kind: 'wrong_type', path: 'c', count: 2 },
    { kind: 'wrong_type', path: 'a', count: 1 },
  ])
})

t.test('one path, when it strays in two ways, is two', async (t) => {
  const { report, counts, first } = arrange()
  report('wrong_type', 'a')
  report('unknown_value', 'a')
  t.equal(first.length, 2)
  t.strictSame(
    counts().map(({ kind, count }) => [kind, count]),
    [
      ['wrong_type', 1],
      ['unknown_value', 1],
    ],
  )
})

t.test('counts, when changed by whoever asked for them, do not change the tally', async (t) => {
  const { report, counts } = arrange()
  report('wrong_type', 'a')
  for (const row of counts()) Object.assign(row, { count: 99 })
  t.strictSame(counts(), [{ kind: 'wrong_type', path: 'a', count: 1 }])
})

t.test('paths, when there are more than the bound, are counted together, those known before still alone', async (t) => {
  const { report, counts, first } = arrange(2)
  for (const path of ['a', 'b', 'c', 'd', 'b', 'c']) report('unknown_field', path)
  report('wrong_type', 'e')
  t.strictSame(first, ['unknown_field a', 'unknown_field b', 'unknown_field (more)', 'wrong_type (more)'])
  t.strictSame(
    counts().map(({ path, count }) => `${path} ${count}`),
    ['(more) 3', 'b 2', 'a 1', '(more) 1'],
  )
})

t.test('a flood of paths, when no bound is given, is told apart up to five hundred', async (t) => {
  const { report, counts, first } = arrange()
  for (let index = 0; index < 10_000; index += 1) report('unknown_field', `field_${index}`)
  t.equal(first.length, 501)
  t.strictSame(counts()[0], { kind: 'unknown_field', path: '(more)', count: 9500 })
})
