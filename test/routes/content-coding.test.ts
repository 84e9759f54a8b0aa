import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { request } from 'undici'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { executionContact } from '../../sandbox/parts.ts'
import { startService, textOf, until } from '../harness/service.ts'

const id = documentIds.deliveryConfirmation
const path = `/execution-contacts/${id}`
const codings = ['identity', 'gzip', 'br'] as const
const vary = 'Accept, Accept-Encoding, Authorization'

interface RawReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly etag: string
  /** As it came over the wire. */
  readonly body: Buffer
}

/** Sends no header but the given ones, and decodes nothing. */
async function ask(
  url: string,
  headers: Record<string, string> = {},
  method: 'GET' | 'HEAD' = 'GET',
): Promise<RawReply> {
  const response = await request(url, { method, headers })
  const body = Buffer.from(await response.body.arrayBuffer())
  return { status: response.statusCode, headers: response.headers, etag: String(response.headers.etag), body }
}

const decoders = { gzip: gunzipSync, br: brotliDecompressSync, identity: (body: Buffer) => body }
const codingOf = ({ headers }: RawReply) => (headers['content-encoding'] ?? 'identity') as keyof typeof decoders
const decoded = (reply: RawReply): Buffer => decoders[codingOf(reply)](reply.body)

/** The headers that are the same in each response. */
function lastingHeaders({ headers }: RawReply) {
  const passing = ['connection', 'date', 'keep-alive', 'server-timing', 'x-request-id']
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !passing.includes(name)))
}

t.test('a response has the coding that the caller prefers, under an ETag of its own', async (t) => {
  const { origin, sandbox } = await startService(t)
  const plain = await ask(`${origin}${path}`)
  t.match(plain.etag, /^"[\w-]{27}"$/)
  for (const [accepted, coding] of [
    [undefined, undefined],
    ['', undefined],
    ['identity', undefined],
    ['gzip', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['*;q=0', undefined],
    ['garbage;;q=x,,', undefined],
  ] as const) {
    const headers: Record<string, string> = accepted === undefined ? {} : { 'accept-encoding': accepted }
    const reply = await ask(`${origin}${path}`, headers)
    t.equal(reply.status, 200)
    t.match(lastingHeaders(reply), {
      vary,
      etag: coding ? plain.etag.replace(/"$/, `-${coding}"`) : plain.etag,
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(reply.body.length),
    })
    t.equal(reply.headers['content-encoding'], coding, `Accept-Encoding: ${accepted}`)
    t.equal(reply.headers['transfer-encoding'], undefined)
    t.ok(decoded(reply).equals(plain.body))
    t.equal(reply.body.length < plain.body.length / 2, coding !== undefined)

    const head = await ask(`${origin}${path}`, headers, 'HEAD')
    t.strictSame(lastingHeaders(head), lastingHeaders(reply), 'HEAD has the same headers')
    t.equal(head.body.length, 0)
  }
  t.equal(sandbox.requests.length, 1)
})

t.test('only the ETag of the coding that the caller prefers gives a 304, which has no other length', async (t) => {
  const { origin } = await startService(t)
  for (const had of codings) {
    const { etag } = await ask(`${origin}${path}`, { 'accept-encoding': had })
    for (const wanted of codings) {
      const full = await ask(`${origin}${path}`, { 'accept-encoding': wanted })
      for (const method of ['GET', 'HEAD'] as const) {
        const reply = await ask(`${origin}${path}`, { 'accept-encoding': wanted, 'if-none-match': etag }, method)
        t.equal(reply.status, had === wanted ? 304 : 200, `${method} in ${wanted}, having ${had}`)
        for (const name of ['etag', 'cache-control', 'vary', 'age'])
          t.equal(reply.headers[name], full.headers[name], `${name} in ${wanted}`)
        t.equal(reply.etag === etag, had === wanted)
        const hasLength = method === 'HEAD' || reply.status === 200
        for (const name of ['content-length', 'content-type', 'content-encoding', 'transfer-encoding'])
          t.equal(reply.headers[name], hasLength ? full.headers[name] : undefined, `${name} of ${method}`)
        t.equal(reply.body.length, reply.status === 200 && method === 'GET' ? full.body.length : 0)
      }
    }
  }
})

t.test('a changed run gives the new state in the same coding', async (t) => {
  const { origin, clock, sandbox, store } = await startService(t)
  const { etag } = await ask(`${origin}${path}`, { 'accept-encoding': 'gzip' })
  const headers = { 'accept-encoding': 'gzip', 'if-none-match': etag }
  sandbox.documents.set(id, () => executionContact(id, { status: 'CANCELED', status_reason: 'x'.repeat(1000) }))
  clock.advance(3000)
  const stale = await ask(`${origin}${path}`, headers)
  t.equal(stale.status, 304, 'a stale entry has its ETag')
  t.match(stale.headers['cache-status'], /; hit; ttl=0; detail=revalidating$/)
  await until(() => textOf(store.entries()).includes('CANCELED'))
  const reply = await ask(`${origin}${path}`, headers)
  t.equal(reply.status, 200)
  t.equal(reply.headers['content-encoding'], 'gzip')
  t.equal(JSON.parse(decoded(reply).toString()).status, 'CANCELED')
  t.match(reply.etag, /-gzip"$/)
  t.not(reply.etag, etag)
})

t.test('a summary that is too small to be worth compressing is plain, under one ETag', async (t) => {
  const { origin } = await startService(t)
  const url = `${origin}/execution-contacts/${documentIds.ready}?view=summary`
  const plain = await ask(url)
  t.ok(plain.body.length < 1024, `${plain.body.length} bytes`)
  for (const coding of ['gzip', 'br']) {
    const reply = await ask(url, { 'accept-encoding': coding })
    t.strictSame(lastingHeaders(reply), { ...lastingHeaders(plain), 'cache-status': reply.headers['cache-status'] })
    t.ok(reply.body.equals(plain.body))
    t.equal((await ask(url, { 'accept-encoding': coding, 'if-none-match': plain.etag })).status, 304)
  }
})

t.test('a hundred concurrent callers of one contact cost one call, and each gets the wanted coding', async (t) => {
  const { origin, sandbox } = await startService(t)
  const requests = Array.from({ length: 100 }, (_, index) =>
    ask(`${origin}${path}`, { 'accept-encoding': codings[index % 3] ?? '' }),
  )
  const replies = await Promise.all(requests)
  t.equal(sandbox.requests.length, 1)
  t.ok(replies.every(({ status }) => status === 200))
  t.equal(new Set(replies.map(({ etag }) => etag)).size, 3)
  t.equal(new Set(replies.map((reply) => decoded(reply).toString())).size, 1)
  t.ok(replies.every((reply, index) => codingOf(reply) === codings[index % 3]))
  t.equal(replies.filter(({ headers }) => String(headers['cache-status']).endsWith('stored')).length, 1)
})

t.test('a problem is never compressed, and says what it depends on', async (t) => {
  const { origin } = await startService(t)
  for (const [target, headers, status] of [
    ['/execution-contacts/00000000-0000-4000-8000-00000000dead', {}, 404],
    [path, { accept: 'text/html' }, 406],
    [`${path}?view=everything`, {}, 400],
    [`/execution-contacts/${faultIds.forbidden}`, {}, 502],
  ] as const) {
    for (const coding of ['gzip', 'br']) {
      const reply = await ask(`${origin}${target}`, { ...headers, 'accept-encoding': coding })
      t.equal(reply.status, status, target)
      t.match(lastingHeaders(reply), {
        vary,
        'content-type': 'application/problem+json',
        'content-length': String(reply.body.length),
      })
      for (const name of ['content-encoding', 'etag']) t.equal(reply.headers[name], undefined, name)
      t.equal(JSON.parse(reply.body.toString()).status, status)
    }
  }
})

t.test('with a lifetime scale of 0, nothing is stored, and requests still share calls and compress', async (t) => {
  const { origin, sandbox, store } = await startService(t, { env: { CACHE_LIFETIME_SCALE: '0' } })
  const [plain] = await Promise.all([ask(`${origin}${path}`), ask(`${origin}${path}`)])
  t.equal(sandbox.requests.length, 1)
  t.equal(plain.headers['cache-status'], 'hilos-bff; fwd=uri-miss; ttl=0')
  for (const coding of ['gzip', 'br', 'gzip']) {
    const reply = await ask(`${origin}${path}`, { 'accept-encoding': coding })
    t.equal(reply.headers['content-encoding'], coding)
    t.ok(decoded(reply).equals(plain.body))
  }
  t.equal(sandbox.requests.length, 4)
  t.strictSame([...store.entries()], [])
})
