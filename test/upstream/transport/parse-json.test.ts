import t from 'tap'
import { parseJson } from '../../../src/upstream/transport/parse-json.ts'
import { isLinear } from '../../harness/growth.ts'
import { checkRows, difference } from '../../harness/table.ts'

t.test('a whole number that a double cannot hold becomes the text of its digits', async (t) => {
  const cases: readonly (readonly [json: string, value: unknown])[] = [
    ['{"a":646180157000000004}', { a: '646180157000000004' }],
    ['[ -646180157000000004,1]', ['-646180157000000004', 1]],
    ['{"a":9007199254740992,"b": 9007199254740993}', { a: '9007199254740992', b: '9007199254740993' }],
    ['646180157000000004 ', Number('646180157000000004')],
    ['[\n646180157000000004.50]', ['646180157000000004.50']],
    ['[1234567890123456e2,-1234567890123456.5E-3]', ['1234567890123456e2', '-1234567890123456.5E-3']],
    // What a double holds, or what no double holds, stays a number.
    ['[9007199254740991,-9007199254740991]', [9007199254740991, -9007199254740991]],
    ['[19.432607707,0.1234567890123456789,1e400,-0]', [19.432607707, 0.12345678901234568, Infinity, -0]],
    [
      '[646180157000000004,19.432607707,0.1234567890123456789]',
      ['646180157000000004', 19.432607707, 0.12345678901234568],
    ],
    // Texts stay as they are.
    ['{"a":" 646180157000000004","b":[646180157000000004]}', { a: ' 646180157000000004', b: ['646180157000000004'] }],
    [
      String.raw`{"a\"":"\\","b":"\",646180157000000004","c":646180157000000004}`,
      { 'a"': '\\', b: '",646180157000000004', c: '646180157000000004' },
    ],
    [' {"646180157000000004": 646180157000000004}', { '646180157000000004': '646180157000000004' }],
  ]
  checkRows(t, cases, ([json, value]) => difference(parseJson(json), value), 'every document')
})

t.test('what is not JSON is refused', async (t) => {
  for (const json of [
    '',
    '[00000000000000000001]',
    '{"d":0123456789012345678}',
    '[-0123456789012345678]',
    '[123456789012345678.]',
    '[123456789012345678e]',
    '{"a":646180157000000004',
    '[646180157000000004x]',
    '["646180157000000004]',
  ])
    t.throws(() => parseJson(json), SyntaxError, json)
})

t.test('parsing takes time in proportion to the length of the text', async (t) => {
  const units = ['"",', '"a",', '"\\n",', '1,', '-', '646180157000000004,', '"', '\\"']
  const check = (unit: string) => {
    const parse = (length: number) => {
      try {
        parseJson(`[646180157000000004,${unit.repeat(length / unit.length)}0]`)
      } catch {}
    }
    return isLinear(parse, 400_000) ? null : 'takes longer'
  }
  checkRows(t, units, check, 'every repeated text')
})
