import t from 'tap'
import { waitSecondsOf } from '../../src/routes/preferences.ts'
import { checkRows, difference } from '../harness/table.ts'

const rows: readonly (readonly [header: string, seconds: number])[] = [
  ['wait=10', 10],
  ['wait=1', 1],
  ['WAIT = 10', 10],
  ['wait="10"', 10],
  ['wait=10; x=y', 10],
  ['respond-async, wait=10', 10],
  ['wait=10, wait=20', 10],
  ['wait=x, wait=20', 20],
  ['a="b, wait=5", wait=7', 7],
  ['wait=30', 30],
  ['wait=31', 30],
  [`wait=${'9'.repeat(400)}`, 30],
  ['wait=007', 7],
  ['wait=0', 0],
  ['wait', 0],
  ['wait=', 0],
  ['wait=-1', 0],
  ['wait=1.5', 0],
  ['wait=1e3', 0],
  ['wait=0x10', 0],
  ['wait=10 seconds', 0],
  ['await=10', 0],
  ['waiting=10', 0],
  ['', 0],
  [',,,', 0],
  ['"', 0],
  ['a="b, wait=5', 5],
]

t.test('the first wait that can be read counts, in whole seconds up to the longest', (t) => {
  checkRows(t, rows, ([header, expected]) => difference(waitSecondsOf(header, 30), expected), 'seconds')
  t.end()
})
