import t from 'tap'
import { Secret } from '../../../src/common/secret.ts'
import { containsToken } from '../../../src/upstream/transport/token-leak.ts'
import { isLinear } from '../../harness/growth.ts'
import { checkRows } from '../../harness/table.ts'

const token = 'c0ffee6f1d2a4b8e9c3d5f7a0b1c2d3e4f5a6b7c'
/** Its base64 has digits that differ between the alphabets, at each offset. */
const marked = '??????>>>>>>~~~~~~'

const contains = (text: string, key = token) =>
  containsToken(Buffer.from(text), [new Secret('another token'), new Secret(key)])
const base64 = (text: string) => Buffer.from(text, 'latin1').toString('base64')
const encodeAll = (text: string, prefix: string) =>
  [...text].map((each) => `${prefix}${each.charCodeAt(0).toString(16)}`).join('')
const percentEncoded = (text: string) => encodeAll(text, '%')
const escaped = (text: string) => encodeAll(text, '\\u00')
const inJson = (text: string) => `{"contact":{"email":"${text}"}}`

t.test('the token is found as it is, at any place', async (t) => {
  for (const body of [token, `${token}"`, `"${token}`, inJson(token), `{"${token}":1}`, inJson(`Token ${token}`)])
    t.ok(contains(body), body)
})

t.test('another text or a part of the token is not the token, in any encoding', async (t) => {
  const others = [
    '',
    '{}',
    token.slice(1),
    token.slice(0, -1),
    token.toUpperCase(),
    `${token.slice(0, 20)} ${token.slice(20)}`,
  ]
  for (const other of others)
    for (const body of [other, base64(other), percentEncoded(other), `${escaped(other)}\\/`])
      t.notOk(contains(body), body)
})

t.test('the token is found in base64 of both alphabets, whatever stands around it', async (t) => {
  const around = ['', 'a', 'ab', 'abc', '\xff\xff']
  const texts = [token, marked, 'twelve-chars', 'thirteen-char', 'fourteen-chars'].flatMap((key) =>
    [...around, 'Token ', 'user:'].flatMap((before) =>
      around.map((after) => ({ key, encoded: base64(`${before}${key}${after}`) })),
    ),
  )
  const urls = texts.map(({ key, encoded }) => ({ key, encoded: encoded.replaceAll('+', '-').replaceAll('/', '_') }))
  checkRows(
    t,
    [...texts, ...urls],
    ({ key, encoded }) => (contains(inJson(encoded), key) ? null : 'not found'),
    'the token is found',
  )
})

t.test('only an escape of a printable ASCII character stands for that character', async (t) => {
  const key = 'a/b"c\\d twelve'
  const json = (text: string) => contains(text, key)
  for (const body of [
    'a/b\\u0022c\\\\d twelve',
    '\\u0061\\/b\\"c\\u005Cd\\u0020twelve',
    '\\\\\\u0061/b\\"c\\\\d twelve',
  ])
    t.ok(json(body), body)
  for (const body of [
    // Escapes that are cut off, of other characters, or with digits that are none.
    ...['\\', '\\u', '\\u0', '\\u00', '\\u006', '\\u0061'].map((end) => `/b\\"c\\\\d twelve${end}`),
    ...[
      '\\u0161',
      '\\u1061',
      '\\u0081',
      '\\u0001',
      '\\u00g1',
      '\\u006g',
      '\\u006`',
      '\\u006/',
      '\\u006:',
      '\\U0061',
      '\\n',
    ].map((other) => `\\/ ${other}/b\\"c\\\\d twelve`),
  ])
    t.notOk(json(body), body)
})

t.test('the token is found percent-encoded or with JSON escapes, in full or in part, in any encoding', async (t) => {
  const quoted = 'a/b"c\\d+e=fghij'
  const reserved = 'jo:ne/zk?m~n'
  const slashes = base64(marked).replaceAll('/', '\\/')
  t.match(slashes, /\\\//)
  checkRows(
    t,
    [
      [token, percentEncoded(token)],
      [reserved, percentEncoded(reserved)],
      [reserved, percentEncoded(reserved).toUpperCase()],
      [reserved, encodeURIComponent(reserved)],
      [token, escaped(token)],
      [quoted, escaped(quoted).replaceAll(/\\u00../g, (each) => `\\u00${each.slice(4).toUpperCase()}`)],
      [token, `\\u0063${token.slice(1)}`],
      [token, `${token.slice(0, -1)}\\u0063`],
      [quoted, 'a\\/b\\"c\\\\d+e=fghij'],
      [quoted, JSON.stringify(quoted).slice(1, -1)],
      [quoted, 'a/b\\u0022c\\u005cd+e=fghij'],
      [quoted, 'a/b\\"c\\u005cd+e=fghij'],
      [marked, slashes],
      [token, escaped(base64(` ${token}`))],
      [token, percentEncoded(token).replaceAll('%', '\\u0025')],
    ] as const,
    ([key, body]) => (contains(inJson(body), key) ? null : 'not found'),
    'the token is found',
  )
})

t.test('a key of less than twelve characters is found as the whole credentials only, in any encoding', async (t) => {
  for (const encode of [String, (text: string) => base64(`x${text}`), percentEncoded, encodeURIComponent, escaped]) {
    t.notOk(contains(inJson(encode('eleven-char')), 'eleven-char'))
    t.ok(contains(inJson(encode('Token eleven-char')), 'eleven-char'))
    t.ok(contains(inJson(encode('twelve-chars')), 'twelve-chars'))
  }
})

t.test('the forms of a token are remembered for no other token', async (t) => {
  const [one, other] = [new Secret(token), new Secret(marked)]
  for (const round of ['first', 'second'])
    for (const [body, expected] of [
      [token, [true, false]],
      [base64(marked), [false, true]],
    ] as const)
      t.strictSame(
        [one, other].map((each) => containsToken(Buffer.from(body), [each])),
        expected,
        round,
      )
})

t.test('the search takes linear time in a body full of escapes', async (t) => {
  t.ok(isLinear((escapes) => contains('\\u0061\\/\\\\'.repeat(escapes)), 50_000))
})
