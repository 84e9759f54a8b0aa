import t from 'tap'
import { Secret } from '../../../src/common/secret.ts'
import { repeats } from '../../../src/upstream/transport/token-leak.ts'

const token = 'c0ffee6f1d2a4b8e9c3d5f7a0b1c2d3e4f5a6b7c'
/** Whose base64 has digits that differ between the alphabets, whatever stands before it. */
const marked = '??????>>>>>>~~~~~~'

const isEcho = (text: string, key = token) => repeats(Buffer.from(text), new Secret(key))
const hexOf = (text: string) => [...text].map((each) => each.charCodeAt(0).toString(16))
const percentEncoded = (text: string) =>
  hexOf(text)
    .map((hex) => `%${hex}`)
    .join('')
const escaped = (text: string) =>
  hexOf(text)
    .map((hex) => `\\u00${hex}`)
    .join('')
const inJson = (text: string) => `{"contact":{"email":"${text}"}}`

t.test('a body, when it repeats the token as it is, repeats it, wherever it stands', async (t) => {
  for (const body of [token, `${token}"`, `"${token}`, inJson(token), `{"${token}":1}`, inJson(`Token ${token}`)])
    t.ok(isEcho(body), body)
})

t.test('a body, when it repeats another text or a part of the token, does not repeat it', async (t) => {
  const others = [
    '',
    '{}',
    token.slice(1),
    token.slice(0, -1),
    token.toUpperCase(),
    `${token.slice(0, 20)} ${token.slice(20)}`,
  ]
  for (const other of others)
    for (const body of [other, Buffer.from(other).toString('base64'), percentEncoded(other), `${escaped(other)}\\/`])
      t.notOk(isEcho(body), body)
})

t.test('base64 of the token, whatever stands around it, in either alphabet, repeats it', async (t) => {
  for (const key of [token, marked, 'twelve-chars', 'thirteen-char', 'fourteen-chars'])
    for (const alphabet of ['base64', 'base64url'] as const)
      for (const before of ['', 'a', 'ab', 'abc', 'Token ', 'user:', '\xff\xff'])
        for (const after of ['', 'a', 'ab', 'abc', '\xff\xff']) {
          const encoded = Buffer.from(`${before}${key}${after}`, 'latin1').toString(alphabet)
          t.ok(isEcho(inJson(encoded), key), `${alphabet} of ${before}${key}${after}`)
        }
})

t.test('a token, when it is percent-encoded in full or where it must be, is repeated', async (t) => {
  const key = 'jo:ne/zk?m~n'
  const table = [
    [token, percentEncoded(token)],
    [key, percentEncoded(key)],
    [key, percentEncoded(key).toUpperCase()],
    [key, encodeURIComponent(key)],
  ] as const
  for (const [secret, body] of table) t.ok(isEcho(inJson(body), secret), body)
})

t.test('a token, when JSON escapes some of it or all, is repeated, in whatever encoding it is', async (t) => {
  const key = 'a/b"c\\d+e=fghij'
  const spellings: Record<string, [key: string, body: string]> = {
    'all of it': [token, escaped(token)],
    'in capitals': [key, escaped(key).replaceAll(/\\u00../g, (each) => `\\u00${each.slice(4).toUpperCase()}`)],
    'its first character': [token, `\\u0063${token.slice(1)}`],
    'its last character': [token, `${token.slice(0, -1)}\\u0063`],
    'the slash': [key, 'a\\/b\\"c\\\\d+e=fghij'],
    'what must be': [key, JSON.stringify(key).slice(1, -1)],
    'what must be, in another way': [key, 'a/b\\u0022c\\u005cd+e=fghij'],
    'what must be, in both ways': [key, 'a/b\\"c\\u005cd+e=fghij'],
    'slashes of its base64': [marked, Buffer.from(marked).toString('base64').replaceAll('/', '\\/')],
    'its base64': [token, escaped(Buffer.from(` ${token}`).toString('base64'))],
    'its percent signs': [token, percentEncoded(token).replaceAll('%', '\\u0025')],
  }
  for (const [name, [secret, body]] of Object.entries(spellings)) t.ok(isEcho(inJson(body), secret), `${name}: ${body}`)
  t.match(spellings['slashes of its base64']?.[1], /\\\//, 'it has some')
})

t.test(
  'a key, when shorter than twelve characters, is known by the whole credentials only, in every encoding',
  async (t) => {
    const encodings: Record<string, (text: string) => string> = {
      plain: (text) => text,
      base64: (text) => Buffer.from(`x${text}`).toString('base64'),
      'percent-encoded': percentEncoded,
      'percent-encoded where it must be': encodeURIComponent,
      'JSON-escaped': escaped,
    }
    for (const [name, encode] of Object.entries(encodings)) {
      t.notOk(isEcho(inJson(encode('eleven-char')), 'eleven-char'), name)
      t.ok(isEcho(inJson(encode('Token eleven-char')), 'eleven-char'), name)
      t.ok(isEcho(inJson(encode('twelve-chars')), 'twelve-chars'), name)
    }
  },
)

t.test('a body, when it is full of escapes that say something else, is searched in time', async (t) => {
  const body = Buffer.from('\\u0061\\/\\\\'.repeat(200_000))
  const startedMs = performance.now()
  t.notOk(repeats(body, new Secret(token)))
  t.ok(performance.now() - startedMs < 2000)
})
