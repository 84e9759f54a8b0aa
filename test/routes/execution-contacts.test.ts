import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { executionContact } from '../../sandbox/parts.ts'
import { exampleContact } from '../../src/presentation/contact/example.ts'
import { startService, textOf, until } from '../harness/service.ts'

const path = `/execution-contacts/${documentIds.deliveryConfirmation}`
const unknownId = '00000000-0000-4000-8000-00000000dead'

t.test(
  'an execution contact, when asked for in each view, is the documented example as far as the view goes',
  async (t) => {
    const { get, sandbox } = await startService(t)
    const { messages, ...timeline } = exampleContact
    const { steps, answers, ...summary } = timeline
    const table = [
      ['?view=transcript', exampleContact],
      ['?view=timeline', timeline],
      ['', timeline],
      ['?view=summary', summary],
    ] as const
    for (const [query, expected] of table) {
      const reply = await get(`${path}${query}`)
      t.equal(reply.status, 200)
      t.strictSame(reply.json(), expected, query || 'the default view')
    }
    t.equal(sandbox.requests.length, 1, 'all views come from one call')
    t.ok(messages.length > 0 && steps.length > 0 && answers.length > 0)
  },
)

t.test('a 200, when it is a miss and then a hit, carries exactly the documented headers', async (t) => {
  const { get, clock } = await startService(t)
  const miss = await get(path)
  t.match(Object.fromEntries(miss.headers), {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(miss.text)),
    etag: /^"[\w-]{27}"$/,
    'cache-control': 'private, no-cache',
    age: '0',
    'cache-status': 'hilos-bff; fwd=uri-miss; ttl=3; stored',
    'server-timing': /^cache;desc=miss;dur=\d+\.\d$/,
    vary: 'Accept, Accept-Encoding, Authorization',
    'x-content-type-options': 'nosniff',
    'x-request-id': /^[0-9a-f-]{36}$/,
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
  })
  const transport = ['connection', 'date', 'keep-alive']
  const sent = [...miss.headers.keys()].filter((name) => !transport.includes(name))
  t.equal(sent.length, 13, 'and nothing else, least of all a header of Hilos')

  clock.advance(1900)
  const hit = await get(path)
  t.equal(hit.text, miss.text)
  t.match(Object.fromEntries(hit.headers), {
    etag: miss.headers.get('etag'),
    age: '1',
    'cache-status': 'hilos-bff; hit; ttl=2',
    'server-timing': /^cache;desc=hit;dur=\d+\.\d$/,
  })
  t.not(hit.headers.get('x-request-id'), miss.headers.get('x-request-id'))
})

t.test(
  'a run that is over, when asked for, may be kept for a minute; one that is not, is asked about each time',
  async (t) => {
    const { get } = await startService(t)
    const table = [
      [documentIds.ready, 'private, no-cache', 'READY'],
      [documentIds.paused, 'private, no-cache', 'PAUSED'],
      [documentIds.newStatus, 'private, no-cache', 'UNKNOWN'],
      [documentIds.completed, 'private, max-age=60', 'COMPLETED'],
      [documentIds.canceled, 'private, max-age=60', 'CANCELED'],
      [documentIds.expired, 'private, max-age=60', 'EXPIRED'],
      [documentIds.failed, 'private, max-age=60', 'FAILED'],
    ] as const
    for (const [id, cacheControl, status] of table) {
      const reply = await get(`/execution-contacts/${id}`)
      t.equal(reply.json().status, status)
      t.equal(reply.headers.get('cache-control'), cacheControl, status)
    }
  },
)

t.test(
  'If-None-Match, when it has the current ETag, gives a 304 without a body and with the same freshness',
  async (t) => {
    const { get, clock } = await startService(t)
    const etag = (await get(path)).headers.get('etag') ?? ''
    clock.advance(1000)
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const reply = await get(path, { 'if-none-match': header })
      t.equal(reply.status, 304, header)
      t.equal(reply.text, '')
      t.match(Object.fromEntries(reply.headers), {
        etag,
        age: '1',
        'cache-control': 'private, no-cache',
        'cache-status': 'hilos-bff; hit; ttl=2',
        vary: 'Accept, Accept-Encoding, Authorization',
      })
      t.equal(reply.headers.get('content-type'), null)
    }
    t.equal((await get(path, { 'if-none-match': '"other"' })).status, 200)
    t.equal((await get(`${path}?view=summary`, { 'if-none-match': etag })).status, 200, 'another view has another tag')
  },
)

t.test('If-None-Match, when the run has moved on, gives the new state', async (t) => {
  const { get, clock, sandbox, store } = await startService(t)
  const before = await get(path)
  sandbox.documents.set(documentIds.deliveryConfirmation, () =>
    executionContact(documentIds.deliveryConfirmation, { status: 'CANCELED' }),
  )
  clock.advance(3000)
  const stale = await get(path, { 'if-none-match': before.headers.get('etag') ?? '' })
  t.equal(stale.status, 304, 'what is stale is matched, too')
  t.match(stale.headers.get('cache-status'), /; hit; ttl=0; detail=revalidating$/)
  await until(() => textOf(store.entries()).includes('CANCELED'))
  const after = await get(path, { 'if-none-match': before.headers.get('etag') ?? '' })
  t.equal(after.status, 200)
  t.equal(after.json().status, 'CANCELED')
  t.not(after.headers.get('etag'), before.headers.get('etag'))
})

t.test('HEAD, when sent instead of GET, has the same headers and no body, and fills the cache', async (t) => {
  const { get } = await startService(t)
  const head = await get(path, {}, 'HEAD')
  t.equal(head.status, 200)
  t.equal(head.text, '')
  t.match(head.headers.get('cache-status'), /; stored$/)
  const full = await get(path)
  t.match(full.headers.get('cache-status'), /; hit;/)
  for (const name of ['etag', 'content-length', 'content-type', 'cache-control'])
    t.equal(head.headers.get(name), full.headers.get(name), name)
  t.equal((await get(path, { 'if-none-match': full.headers.get('etag') ?? '' }, 'HEAD')).status, 304)
  t.equal((await get(`/execution-contacts/${unknownId}`, {}, 'HEAD')).status, 404)
})

t.test('an id, in whatever case, is one and the same', async (t) => {
  const { get, sandbox } = await startService(t)
  const lower = await get(path)
  const upper = await get(`/execution-contacts/${documentIds.deliveryConfirmation.toUpperCase()}`)
  t.equal(upper.text, lower.text)
  t.match(upper.headers.get('cache-status'), /; hit;/)
  t.match(sandbox.requests, [{ url: `/channel/whatsapp/flow-execution-contact/${documentIds.deliveryConfirmation}` }])
})

t.test('an id that Hilos does not know, when asked for, is a 404 that is remembered for ten seconds', async (t) => {
  const { get, clock, sandbox } = await startService(t)
  const unknown = `/execution-contacts/${unknownId}`
  const first = await get(unknown)
  t.equal(first.status, 404)
  t.match(first.json(), { code: 'execution_contact_not_found', retryable: false, instance: unknown })
  t.equal(first.headers.get('cache-status'), 'hilos-bff; fwd=uri-miss; ttl=10; stored')
  t.equal(first.headers.get('cache-control'), 'no-store')
  t.match(first.headers.get('server-timing'), /^cache;desc=miss;dur=/)
  for (const name of ['etag', 'age']) t.equal(first.headers.get(name), null, name)
  clock.advance(9999)
  t.equal((await get(unknown)).headers.get('cache-status'), 'hilos-bff; hit; ttl=1')
  t.equal(sandbox.requests.length, 1)
  clock.advance(1)
  t.match((await get(unknown)).headers.get('cache-status'), /; stored$/)
})

t.test('an execution contact, when Hilos no longer knows it, is forgotten', async (t) => {
  const { get, clock, sandbox, store } = await startService(t)
  await get(path)
  t.equal([...store.entries()].length, 1)
  sandbox.documents.delete(documentIds.deliveryConfirmation)
  clock.advance(33_000)
  const gone = await get(path)
  t.equal(gone.status, 404)
  t.equal(gone.headers.get('cache-status'), 'hilos-bff; fwd=stale; ttl=10; stored')
  t.strictSame([...store.entries()], [])
})

t.test('a hundred callers of one cold id, when they come at once, cost one call', async (t) => {
  const { get, sandbox } = await startService(t)
  const replies = await Promise.all(Array.from({ length: 100 }, () => get(path)))
  t.equal(sandbox.requests.length, 1)
  const words = Map.groupBy(replies, ({ headers }) => headers.get('cache-status')?.split('; ').at(-1))
  t.equal(words.get('stored')?.length, 1)
  t.ok(replies.every(({ status, text }) => status === 200 && text === replies[0]?.text))
})

t.test('a lifetime scale of 0, when set, remembers nothing and still collapses', async (t) => {
  const { get, sandbox, store } = await startService(t, { env: { CACHE_LIFETIME_SCALE: '0' } })
  const [one] = await Promise.all([get(path), get(path)])
  t.equal(sandbox.requests.length, 1)
  t.equal(one.headers.get('cache-status'), 'hilos-bff; fwd=uri-miss; ttl=0')
  await get(path)
  t.equal(sandbox.requests.length, 2)
  t.strictSame([...store.entries()], [])
})

t.test('a caller who leaves before the answer, is logged, and changes nothing for the one who stays', async (t) => {
  const { get, origin, sandbox, logLines } = await startService(t)
  const gate = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  sandbox.documents.set(documentIds.ready, async () => {
    arrived.resolve()
    await gate.promise
    return executionContact(documentIds.ready)
  })
  const leaving = new AbortController()
  const left = fetch(`${origin}/execution-contacts/${documentIds.ready}`, { signal: leaving.signal })
  await arrived.promise
  const staying = get(`/execution-contacts/${documentIds.ready}`)
  leaving.abort()
  await t.rejects(left)
  gate.resolve()
  const reply = await staying
  t.equal(reply.status, 200)
  t.match(reply.headers.get('cache-status'), /; collapsed$/)
  t.equal(sandbox.requests.length, 1)
  t.match(
    logLines().filter(({ msg }) => msg === 'the caller left before the answer'),
    [{ level: 30, status: null, route: '/execution-contacts/:id' }],
  )
})

t.test('a document, when it has as many steps and messages as allowed, is shown; one more is too large', async (t) => {
  const { get, sandbox, clock } = await startService(t)
  const [id, wrapped] = [documentIds.ready, { message: {} }]
  const table = [
    [10_000, 0, 200],
    [10_001, 0, 502],
    [1, 9999, 200],
    [1, 10_000, 502],
    [2, 5000, 502],
  ] as const
  for (const [steps, messages, status] of table) {
    const step = { messages: Array.from({ length: messages }, () => wrapped) }
    sandbox.documents.set(id, () => ({ id, execution_steps: Array.from({ length: steps }, () => step) }))
    const reply = await get(`/execution-contacts/${id}?view=transcript`)
    t.equal(reply.status, status, `${steps} steps with ${messages} messages each`)
    if (status === 200) t.equal(reply.json().messages.length, steps * messages)
    else t.equal(reply.json().code, 'upstream_too_large')
    clock.advance(60_000)
  }
})

t.test('the published meta, when an operator names keys, leaves with those keys only', async (t) => {
  const { get } = await startService(t, { env: { CONTACT_META_KEYS: 'loyalty_tier,absent' } })
  t.strictSame((await get(path)).json().contact.meta, { loyalty_tier: 'gold' })
})

t.test('the earlier version of the contract, when Hilos answers with it, is shown the same way', async (t) => {
  const { get, log } = await startService(t)
  const { json } = await get(`/execution-contacts/${documentIds.earlierContract}?view=transcript`)
  t.match(json(), {
    status: 'PAUSED',
    reason: 'Paused from the inbox',
    executionId: exampleContact.executionId,
    statusChangedAt: null,
    flow: exampleContact.flow,
    contact: exampleContact.contact,
    answers: exampleContact.answers,
  })
  t.notMatch(log(), /strays/)
})

t.test('Accept, when it leaves JSON out, is refused; else it does not matter', async (t) => {
  const { get, sandbox } = await startService(t)
  const table = [
    ['application/json', 200],
    ['APPLICATION/JSON;q=0.1', 200],
    ['application/*', 200],
    ['application/json; charset=utf-8', 200],
    ['application/json;charset=UTF-8', 200],
    ['*/*', 200],
    ['text/html, */*;q=0.1', 200],
    ['', 200],
    ['text/html', 406],
    ['application/json;q=0, */*', 406],
    ['application/xml', 406],
    ['garbage', 406],
  ] as const
  for (const [accept, status] of table) {
    const reply = await get(path, { accept })
    t.equal(reply.status, status, `Accept: ${accept}`)
    if (status === 406) t.equal(reply.json().code, 'not_acceptable')
  }
  t.equal(sandbox.requests.length, 1)
})

t.test(
  'a document that strays from the contract, when read, is reported once by path and without values',
  async (t) => {
    const { get, logLines, sandbox, clock } = await startService(t)
    sandbox.documents.set(unknownId, () => ({ contact: { phone: 5255 }, status: 'RUNNING', surprise: 'canary' }))
    for (let times = 0; times < 2; times += 1) {
      t.equal((await get(`/execution-contacts/${unknownId}`)).status, 200)
      clock.advance(60_000)
    }
    const drift = logLines().filter(({ msg }) => String(msg).includes('strays'))
    t.match(drift, [
      { level: 40, kind: 'unknown_field', path: 'surprise' },
      { level: 40, kind: 'wrong_type', path: 'contact.phone' },
    ])
    t.equal(drift.length, 2)
  },
)

t.test('each way Hilos can fail, when it does, is its own problem, and no document', async (t) => {
  const upstreamText = 'canary-of-upstream'
  const { get, store, log, clock } = await startService(t, {
    faultText: upstreamText,
    env: { HILOS_TIMEOUT_MS: '500' },
  })
  const table = [
    [faultIds.unauthorized, 502, 'upstream_unauthorized', null],
    [faultIds.forbidden, 502, 'upstream_forbidden', null],
    [faultIds.rateLimited, 503, 'upstream_rate_limited', 7],
    [faultIds.broken, 502, 'upstream_error', 2],
    [faultIds.outOfService, 503, 'upstream_unavailable', 2],
    [faultIds.redirect, 502, 'upstream_redirect', null],
    [faultIds.slow, 504, 'upstream_timeout', 2],
    [faultIds.hang, 504, 'upstream_timeout', 2],
    [faultIds.hangInBody, 504, 'upstream_timeout', 2],
    [faultIds.cutBody, 502, 'upstream_invalid_response', 2],
    [faultIds.invalidJson, 502, 'upstream_invalid_response', 2],
    [faultIds.html, 502, 'upstream_invalid_response', 2],
    [faultIds.empty, 502, 'upstream_invalid_response', 2],
    [faultIds.huge, 502, 'upstream_too_large', null],
    [faultIds.gzipBomb, 502, 'upstream_too_large', null],
    [faultIds.wrongEncoding, 502, 'upstream_invalid_response', 2],
    [faultIds.anotherId, 502, 'upstream_invalid_response', 2],
    [faultIds.reset, 503, 'upstream_unavailable', 2],
    [faultIds.notHttp, 502, 'upstream_invalid_response', 2],
    [faultIds.htmlNotFound, 502, 'upstream_misconfigured', null],
  ] as const
  t.equal(table.length, Object.keys(faultIds).length)
  for (const [id, status, code, retryAfterSeconds] of table) {
    const reply = await get(`/execution-contacts/${id}`)
    t.equal(reply.status, status, code)
    t.match(reply.json(), {
      type: `/problems/${code}`,
      status,
      code,
      retryAfterSeconds,
      instance: `/execution-contacts/${id}`,
    })
    t.equal(reply.json().requestId, reply.headers.get('x-request-id'))
    t.equal(reply.headers.get('retry-after'), retryAfterSeconds === null ? null : String(retryAfterSeconds))
    t.equal(reply.headers.get('cache-control'), 'no-store')
    t.equal(reply.headers.get('content-type'), 'application/problem+json')
    for (const absent of ['etag', 'age', 'cache-status', 'www-authenticate', 'location'])
      t.equal(reply.headers.get(absent), null, absent)
    t.notMatch(reply.text, upstreamText)
    // Past any pause that Hilos asked for, or its refusal of our key brought about.
    clock.advance(60_000)
  }
  t.notMatch(log(), upstreamText)
  t.strictSame([...store.entries()], [])
})
