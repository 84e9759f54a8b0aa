import t from 'tap'
import { createDriftTally, type DriftKind } from '../../../src/upstream/document/drift.ts'

/** A tally that also lists what it reports first, and its counts as lines. */
function arrange(maxPaths?: number) {
  const first: string[] = []
  const { report, counts } = createDriftTally((kind, path) => first.push(`${kind} ${path}`), maxPaths)
  const reportAll = (kind: DriftKind, paths: Iterable<string>) => {
    for (const path of paths) report(kind, path)
  }
  const lines = () => counts().map(({ kind, path, count }) => `${kind} ${path} ${count}`)
  return { report, reportAll, counts, lines, first }
}

t.test('drift is reported the first time and counted by kind and path, the most frequent first', async (t) => {
  const { reportAll, counts, lines, first } = arrange()
  t.strictSame(counts(), [])
  reportAll('wrong_type', 'abcbbc')
  reportAll('unknown_value', 'cccc')
  t.strictSame(first, ['wrong_type a', 'wrong_type b', 'wrong_type c', 'unknown_value c'])
  t.strictSame(lines(), ['unknown_value c 4', 'wrong_type b 3', 'wrong_type c 2', 'wrong_type a 1'])
})

t.test('a change of the returned counts does not change the tally', async (t) => {
  const { reportAll, counts } = arrange()
  reportAll('wrong_type', 'a')
  for (const row of counts()) Object.assign(row, { count: 99 })
  t.strictSame(counts(), [{ kind: 'wrong_type', path: 'a', count: 1 }])
})

t.test('new paths beyond the limit are counted together, and known ones still alone', async (t) => {
  const { reportAll, lines, first } = arrange(2)
  reportAll('unknown_field', 'abcdbc')
  reportAll('wrong_type', 'e')
  t.strictSame(first, ['unknown_field a', 'unknown_field b', 'unknown_field (more)', 'wrong_type (more)'])
  t.strictSame(lines(), ['unknown_field (more) 3', 'unknown_field b 2', 'unknown_field a 1', 'wrong_type (more) 1'])
})

t.test('a difference that a document has several times counts as often, also beyond the limit', async (t) => {
  const { report, lines } = arrange(1)
  for (const [path, count] of Object.entries({ a: 2, b: 3, c: 4 })) report('wrong_type', path, count)
  report('wrong_type', 'a', 5)
  t.strictSame(lines(), ['wrong_type a 7', 'wrong_type (more) 7'])
})

t.test('the limit is five hundred paths by default', async (t) => {
  const { reportAll, lines, first } = arrange()
  reportAll(
    'unknown_field',
    Array.from({ length: 10_000 }, (_, index) => `field_${index}`),
  )
  t.equal(first.length, 501)
  t.equal(lines()[0], 'unknown_field (more) 9500')
})
