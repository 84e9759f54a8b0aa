import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { request } from 'undici'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { executionContact } from '../../sandbox/parts.ts'
import { startService } from '../harness/service.ts'

const id = documentIds.deliveryConfirmation
const path = `/execution-contacts/${id}`
const unknownPath = '/execution-contacts/00000000-0000-4000-8000-00000000dead'

interface RawReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly etag: string
  /** As it came over the wire. */
  readonly body: Buffer
}

/** Sends no header but those given, and decodes nothing. */
async function ask(
  url: string,
  headers: Record<string, string> = {},
  method: 'GET' | 'HEAD' = 'GET',
): Promise<RawReply> {
  const response = await request(url, { method, headers })
  const body = Buffer.from(await response.body.arrayBuffer())
  return { status: response.statusCode, headers: response.headers, etag: String(response.headers.etag), body }
}

function decoded({ headers, body }: RawReply): Buffer {
  switch (headers['content-encoding']) {
    case 'gzip':
      return gunzipSync(body)
    case 'br':
      return brotliDecompressSync(body)
    default:
      return body
  }
}

t.test(
  'Accept-Encoding, whatever it says, gets the bytes in a coding it accepts, under a tag of their own',
  async (t) => {
    const { origin, sandbox } = await startService(t)
    const plain = await ask(`${origin}${path}`)
    t.match(plain.etag, /^"[\w-]{27}"$/)
    const table = [
      [undefined, undefined],
      ['', undefined],
      ['identity', undefined],
      ['gzip', 'gzip'],
      ['br', 'br'],
      ['gzip, deflate, br', 'br'],
      ['gzip, deflate, br, zstd', 'br'],
      ['br;q=0.5, gzip;q=0.8, *;q=0.1', 'gzip'],
      ['gzip;q=0.5, identity', undefined],
      ['gzip;q=0', undefined],
      ['*', 'br'],
      ['*;q=0', undefined],
      ['identity;q=0', undefined],
      ['identity;q=0, *;q=0', undefined],
      ['garbage;;q=x,,', undefined],
    ] as const
    // Twice: the second time it is remembered how each header is read.
    for (const [accepted, coding] of [...table, ...table]) {
      const reply = await ask(`${origin}${path}`, accepted === undefined ? {} : { 'accept-encoding': accepted })
      const name = `Accept-Encoding: ${accepted}`
      t.equal(reply.status, 200, name)
      t.equal(reply.headers['content-encoding'], coding, name)
      t.equal(reply.headers.vary, 'Accept, Accept-Encoding, Authorization')
      t.equal(reply.headers['content-type'], 'application/json; charset=utf-8')
      t.equal(reply.headers['content-length'], String(reply.body.length))
      t.equal(reply.headers['transfer-encoding'], undefined)
      t.equal(reply.etag, coding ? plain.etag.replace(/"$/, `-${coding}"`) : plain.etag)
      t.ok(decoded(reply).equals(plain.body), 'the same bytes')
      t.equal(reply.body.length < plain.body.length / 2, coding !== undefined)
    }
    t.equal(sandbox.requests.length, 1)
  },
)

t.test('Accept-Encoding, of more kinds than are remembered, is read right each time', async (t) => {
  const { origin } = await startService(t)
  for (const coding of ['gzip', 'br', 'gzip']) {
    const asks = Array.from({ length: 150 }, (_, index) =>
      ask(`${origin}${path}`, { 'accept-encoding': `${coding}, kind-${index}` }),
    )
    const replies = await Promise.all(asks)
    t.ok(
      replies.every(({ headers }) => headers['content-encoding'] === coding),
      coding,
    )
  }
})

t.test('each view in each coding, when asked for again, has the tag it had and no other has', async (t) => {
  const { origin } = await startService(t)
  const tags = async () => {
    const asks = ['summary', 'timeline', 'transcript'].flatMap((view) =>
      codings.map((coding) => ask(`${origin}${path}?view=${view}`, { 'accept-encoding': coding })),
    )
    return (await Promise.all(asks)).map(({ etag }) => etag)
  }
  const first = await tags()
  t.equal(new Set(first).size, 9)
  t.strictSame(await tags(), first)
})

const codings = ['identity', 'gzip', 'br'] as const

t.test('If-None-Match, when it has the tag of the coding asked for, gives a 304; of another, a 200', async (t) => {
  const { origin } = await startService(t)
  for (const had of codings) {
    const { etag } = await ask(`${origin}${path}`, { 'accept-encoding': had })
    for (const wanted of codings) {
      const headers = { 'accept-encoding': wanted, 'if-none-match': etag }
      for (const method of ['GET', 'HEAD'] as const) {
        const reply = await ask(`${origin}${path}`, headers, method)
        t.equal(reply.status, had === wanted ? 304 : 200, `${method} in ${wanted}, having ${had}`)
        t.equal(reply.headers.vary, 'Accept, Accept-Encoding, Authorization')
        t.equal(reply.etag === etag, had === wanted)
      }
    }
  }
})

t.test('a 304, in whatever coding, has the validators, no body, and no other length than a 200', async (t) => {
  const { origin } = await startService(t)
  for (const coding of codings) {
    const full = await ask(`${origin}${path}`, { 'accept-encoding': coding })
    const headers = { 'accept-encoding': coding, 'if-none-match': full.etag }
    for (const method of ['GET', 'HEAD'] as const) {
      const reply = await ask(`${origin}${path}`, headers, method)
      t.equal(reply.status, 304)
      t.equal(reply.body.length, 0)
      for (const name of ['etag', 'cache-control', 'vary', 'age'])
        t.equal(reply.headers[name], full.headers[name], `${name} in ${coding}`)
      for (const name of ['content-length', 'content-type', 'content-encoding', 'transfer-encoding'])
        t.equal(reply.headers[name], method === 'GET' ? undefined : full.headers[name], `${name} of ${method}`)
    }
  }
})

t.test('If-None-Match, when the run has moved on, gives the new state in the same coding', async (t) => {
  const { origin, clock, sandbox } = await startService(t)
  const { etag } = await ask(`${origin}${path}`, { 'accept-encoding': 'gzip' })
  sandbox.documents.set(id, () => executionContact(id, { status: 'CANCELED', status_reason: 'x'.repeat(1000) }))
  clock.advance(3_600_000)
  const reply = await ask(`${origin}${path}`, { 'accept-encoding': 'gzip', 'if-none-match': etag })
  t.equal(reply.status, 200)
  t.equal(reply.headers['content-encoding'], 'gzip')
  t.equal(JSON.parse(decoded(reply).toString()).status, 'CANCELED')
  t.match(reply.etag, /-gzip"$/)
  t.not(reply.etag, etag)
})

t.test('HEAD, in whatever coding, has the headers of GET', async (t) => {
  const { origin } = await startService(t)
  const lasting = ({ headers }: RawReply) => {
    const passing = ['connection', 'date', 'keep-alive', 'server-timing', 'x-request-id']
    return Object.fromEntries(Object.entries(headers).filter(([name]) => !passing.includes(name)))
  }
  await ask(`${origin}${path}`)
  for (const coding of codings) {
    const head = await ask(`${origin}${path}`, { 'accept-encoding': coding }, 'HEAD')
    const full = await ask(`${origin}${path}`, { 'accept-encoding': coding })
    t.strictSame(lasting(head), lasting(full), coding)
    t.equal(head.headers['content-length'], String(full.body.length))
    t.equal(head.body.length, 0)
  }
})

t.test('a summary, when it is too small to be worth it, stays as it is and under one tag', async (t) => {
  const { origin } = await startService(t)
  const url = `${origin}/execution-contacts/${documentIds.ready}?view=summary`
  const plain = await ask(url)
  t.ok(plain.body.length < 1024, `${plain.body.length} bytes`)
  for (const coding of ['gzip', 'br']) {
    const reply = await ask(url, { 'accept-encoding': coding })
    t.equal(reply.headers['content-encoding'], undefined, coding)
    t.equal(reply.headers.vary, 'Accept, Accept-Encoding, Authorization')
    t.equal(reply.etag, plain.etag)
    t.ok(reply.body.equals(plain.body))
    t.equal((await ask(url, { 'accept-encoding': coding, 'if-none-match': plain.etag })).status, 304)
  }
})

t.test('a hundred callers in three codings, when they come at once, each get what they asked for', async (t) => {
  const { origin, sandbox } = await startService(t)
  const asks = Array.from({ length: 100 }, (_, index) =>
    ask(`${origin}${path}`, { 'accept-encoding': codings[index % 3] ?? '' }),
  )
  const replies = await Promise.all(asks)
  t.equal(sandbox.requests.length, 1)
  t.equal(new Set(replies.map(({ etag }) => etag)).size, 3)
  t.equal(new Set(replies.map((reply) => decoded(reply).toString())).size, 1)
  for (const [index, { headers }] of replies.entries())
    t.equal(headers['content-encoding'] ?? 'identity', codings[index % 3])
})

t.test('a problem, whatever the caller accepts, is never compressed, and says what it depends on', async (t) => {
  const { origin } = await startService(t)
  const table = [
    [unknownPath, {}, 404],
    [path, { accept: 'text/html' }, 406],
    [`${path}?view=everything`, {}, 400],
    [`/execution-contacts/${faultIds.forbidden}`, {}, 502],
  ] as const
  for (const [target, headers, status] of table) {
    for (const coding of ['gzip', 'br']) {
      const reply = await ask(`${origin}${target}`, { ...headers, 'accept-encoding': coding })
      t.equal(reply.status, status, target)
      t.equal(reply.headers['content-encoding'], undefined)
      t.equal(reply.headers['content-type'], 'application/problem+json')
      t.equal(reply.headers['content-length'], String(reply.body.length))
      t.equal(reply.headers.etag, undefined)
      t.equal(reply.headers.vary, 'Accept, Accept-Encoding, Authorization', `${status}`)
      t.equal(JSON.parse(reply.body.toString()).status, status)
    }
  }
})

t.test('a lifetime scale of 0, when set, answers in every coding all the same', async (t) => {
  const { origin, sandbox, store } = await startService(t, { env: { CACHE_LIFETIME_SCALE: '0' } })
  const plain = await ask(`${origin}${path}`)
  for (const coding of ['gzip', 'br', 'gzip']) {
    const reply = await ask(`${origin}${path}`, { 'accept-encoding': coding })
    t.equal(reply.headers['content-encoding'], coding)
    t.ok(decoded(reply).equals(plain.body))
  }
  t.equal(sandbox.requests.length, 4)
  t.strictSame([...store.entries()], [])
})
