import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { executionContact } from '../../sandbox/parts.ts'
import { exampleContact } from '../../src/presentation/contact/example.ts'
import { startService } from '../harness/service.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'

const pathOf = (id: string) => `/execution-contacts/${id}`
const path = pathOf(documentIds.deliveryConfirmation)
const unknownId = '00000000-0000-4000-8000-00000000dead'

t.test('each view is the documented example as far as the view goes, and all come from one call', async (t) => {
  const { get, sandbox } = await startService(t, { env: { CONTACT_META_KEYS: 'loyalty_tier,absent' } })
  const contact = { ...exampleContact.contact, meta: { loyalty_tier: 'gold' } }
  const { messages, ...timeline } = { ...exampleContact, contact }
  const { steps, answers, ...summary } = timeline
  for (const [query, expected] of [
    ['?view=transcript', { ...timeline, messages }],
    ['?view=timeline', { ...timeline, view: 'timeline' }],
    ['', { ...timeline, view: 'timeline' }],
    ['?view=summary', { ...summary, view: 'summary' }],
  ] as const) {
    const reply = await get(`${path}${query}`)
    t.equal(reply.status, 200)
    t.strictSame(reply.json(), expected, query || 'the default view')
  }
  const upper = await get(pathOf(documentIds.deliveryConfirmation.toUpperCase()))
  t.strictSame(upper.json(), { ...timeline, view: 'timeline' }, 'an id in upper case is the same id')
  t.match(upper.headers.get('cache-status'), /; hit;/)
  const paths = sandbox.requests.map(({ url }) => url)
  t.strictSame(paths, [`/channel/whatsapp/flow-execution-contact/${documentIds.deliveryConfirmation}`])
  t.ok(messages.length > 0 && steps.length > 0 && answers.length > 0)
})

t.test('a 200 has exactly the documented headers', async (t) => {
  const { get, clock } = await startService(t)
  const miss = await get(path)
  t.match(Object.fromEntries(miss.headers), {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(miss.text)),
    etag: /^"[\w-]{27}"$/,
    'cache-control': 'private, no-cache',
    age: '0',
    'retry-after': '3',
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
  t.equal(sent.length, 14, 'no other header, not even one of Hilos')

  clock.advance(1900)
  const hit = await get(path)
  t.equal(hit.text, miss.text)
  t.match(Object.fromEntries(hit.headers), {
    etag: miss.headers.get('etag'),
    age: '1',
    'retry-after': '2',
    'cache-status': 'hilos-bff; hit; ttl=2',
    'server-timing': /^cache;desc=hit;dur=\d+\.\d$/,
  })
  t.not(hit.headers.get('x-request-id'), miss.headers.get('x-request-id'))
})

t.test('a caller can keep a run that is over for a minute, and must ask about any other each time', async (t) => {
  const { get } = await startService(t)
  for (const [id, cacheControl, status] of [
    [documentIds.ready, 'private, no-cache', 'READY'],
    [documentIds.paused, 'private, no-cache', 'PAUSED'],
    [documentIds.newStatus, 'private, no-cache', 'UNKNOWN'],
    [documentIds.completed, 'private, max-age=60', 'COMPLETED'],
    [documentIds.canceled, 'private, max-age=60', 'CANCELED'],
    [documentIds.expired, 'private, max-age=60', 'EXPIRED'],
    [documentIds.failed, 'private, max-age=60', 'FAILED'],
  ] as const) {
    const reply = await get(pathOf(id))
    t.strictSame([reply.json().status, reply.headers.get('cache-control')], [status, cacheControl])
  }
})

t.test('a run that is over is kept for a minute after the response, however old the answer of Hilos is', async (t) => {
  const { get, clock } = await startService(t)
  for (const [passMs, age] of [
    [0, 0],
    [20_000, 20],
    [80_000, 100],
  ] as const) {
    clock.advance(passMs)
    const reply = await get(pathOf(documentIds.completed))
    const found = ['age', 'cache-control', 'cache-status'].map((name) => reply.headers.get(name))
    t.match(found, [String(age), `private, max-age=${age + 60}`, /hit|stored/])
    const etag = reply.headers.get('etag') ?? ''
    const unchanged = await get(pathOf(documentIds.completed), { 'if-none-match': etag })
    t.match([unchanged.status, unchanged.headers.get('cache-control')], [304, /^private, max-age=\d+$/])
  }
})

t.test('If-Match without the current ETag is a 412, before If-None-Match and after the rights', async (t) => {
  const { get, clock } = await startService(t)
  for (const coding of ['identity', 'br']) {
    const etag = (await get(path, { 'accept-encoding': coding })).headers.get('etag') ?? ''
    const statusOf = async (headers: Record<string, string>, method = 'GET', asked = path) =>
      (await get(asked, { 'accept-encoding': coding, ...headers }, method)).status
    for (const [ifMatch, status] of [
      [etag, 200],
      [`"other",\t${etag} ,`, 200],
      ['*', 200],
      ['"other"', 412],
      [`W/${etag}`, 412],
      ['', 412],
    ] as const) {
      const headers = { 'if-match': ifMatch }
      const wanted = [status, status, status === 200 ? 304 : 412, status === 200 ? 304 : 412, 404, 400]
      const found = [
        await statusOf(headers),
        await statusOf(headers, 'HEAD'),
        await statusOf({ ...headers, 'if-none-match': etag }),
        await statusOf({ ...headers, 'if-none-match': '*' }),
        await statusOf(headers, 'GET', pathOf(unknownId)),
        await statusOf(headers, 'GET', pathOf('x')),
      ]
      t.strictSame(found, wanted, `${coding} ${ifMatch}`)
    }
  }
  clock.advance(1000)
  const { headers, json } = await get(path, { 'if-match': '"other"' })
  t.match(json(), { code: 'precondition_failed', status: 412, retryable: false, retryAfterSeconds: null })
  t.match(Object.fromEntries(headers), { 'cache-control': 'no-store', 'cache-status': 'hilos-bff; hit; ttl=2' })
  for (const name of ['etag', 'age', 'content-encoding']) t.equal(headers.get(name), null, name)
})

t.test('the current ETag gives a 304 without a body, with the same freshness', async (t) => {
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
  t.equal((await get(`${path}?view=summary`, { 'if-none-match': etag })).status, 200, 'another view has another ETag')
})

t.test('an id that Hilos does not know is a 404 that is cached for ten seconds', async (t) => {
  const { get, clock, sandbox } = await startService(t)
  t.match((await get(path, {}, 'HEAD')).headers.get('cache-status'), /; stored$/)
  t.match((await get(path)).headers.get('cache-status'), /; hit;/, 'a HEAD request fills the cache')
  const unknown = pathOf(unknownId)
  const first = await get(unknown)
  t.equal(first.status, 404)
  t.match(first.json(), { code: 'execution_contact_not_found', retryable: false, instance: unknown })
  t.equal(first.headers.get('cache-status'), 'hilos-bff; fwd=uri-miss; ttl=10; stored')
  t.equal(first.headers.get('cache-control'), 'no-store')
  t.match(first.headers.get('server-timing'), /^cache;desc=miss;dur=/)
  for (const name of ['etag', 'age']) t.equal(first.headers.get(name), null, name)
  clock.advance(9999)
  const again = await get(unknown, {}, 'HEAD')
  t.strictSame([again.status, again.headers.get('cache-status')], [404, 'hilos-bff; hit; ttl=1'])
  t.equal(sandbox.requests.length, 2)
  clock.advance(1)
  t.match((await get(unknown)).headers.get('cache-status'), /; stored$/)
})

t.test('a contact that Hilos no longer knows is deleted', async (t) => {
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

t.test('a caller who disconnects is logged, and changes nothing for another who waits', async (t) => {
  const { get, origin, sandbox, logLines } = await startService(t)
  const gate = Promise.withResolvers<void>()
  const arrived = Promise.withResolvers<void>()
  sandbox.documents.set(documentIds.ready, async () => {
    arrived.resolve()
    await gate.promise
    return executionContact(documentIds.ready)
  })
  const leaving = new AbortController()
  const left = fetch(`${origin}${pathOf(documentIds.ready)}`, { signal: leaving.signal })
  await arrived.promise
  const staying = get(pathOf(documentIds.ready))
  leaving.abort()
  await t.rejects(left)
  gate.resolve()
  const reply = await staying
  t.equal(reply.status, 200)
  t.match(reply.headers.get('cache-status'), /; collapsed$/)
  t.equal(sandbox.requests.length, 1)
  t.match(
    logLines().filter(({ msg }) => msg === 'caller disconnected before the response'),
    [{ level: 30, status: null, route: '/execution-contacts/:id' }],
  )
})

t.test('a document can have 10,000 steps and messages, and not one more', async (t) => {
  const { get, sandbox, clock } = await startService(t, { env: { HILOS_TIMEOUT_MS: '120000' } })
  const [id, wrapped] = [documentIds.ready, { message: {} }]
  const cases = [
    [10_000, 0, 200],
    [10_001, 0, 502],
    [1, 9999, 200],
    [1, 10_000, 502],
    [2, 5000, 502],
  ] as const
  const check = async ([steps, messages, status]: (typeof cases)[number]) => {
    const step = { messages: Array.from({ length: messages }, () => wrapped) }
    sandbox.documents.set(id, () => ({ id, execution_steps: Array.from({ length: steps }, () => step) }))
    const reply = await get(`${pathOf(id)}?view=transcript`)
    clock.advance(60_000)
    const found = reply.status === 200 ? reply.json().messages.length : reply.json().code
    return difference([reply.status, found], [status, status === 200 ? steps * messages : 'upstream_too_large'])
  }
  await checkRowsInTurn(t, cases, check, 'each size')
})

t.test('the earlier version of the contract is shown the same way', async (t) => {
  const { get, log } = await startService(t)
  const { json } = await get(`${pathOf(documentIds.earlierContract)}?view=transcript`)
  t.match(json(), {
    status: 'PAUSED',
    reason: 'Paused from the inbox',
    executionId: exampleContact.executionId,
    statusChangedAt: null,
    flow: exampleContact.flow,
    contact: exampleContact.contact,
    answers: exampleContact.answers,
  })
  t.notMatch(log(), /deviates/)
})

t.test('a request that does not accept JSON is refused before Hilos is asked', async (t) => {
  const { get, sandbox } = await startService(t)
  const reply = await get(path, { accept: 'text/html' })
  t.strictSame([reply.status, reply.json().code, sandbox.requests.length], [406, 'not_acceptable', 0])
  t.equal((await get(path, { accept: '' })).status, 200)
})

t.test('a document that deviates from the contract is logged once, by path and without values', async (t) => {
  const { get, logLines, sandbox, clock } = await startService(t)
  sandbox.documents.set(unknownId, () => ({ contact: { phone: 5255 }, status: 'RUNNING', surprise: 'canary' }))
  for (let times = 0; times < 2; times += 1) {
    t.equal((await get(pathOf(unknownId))).status, 200)
    clock.advance(60_000)
  }
  const drift = logLines().filter(({ msg }) => msg === 'document deviates from the contract')
  t.match(drift, [
    { level: 40, kind: 'unknown_field', path: 'surprise' },
    { level: 40, kind: 'wrong_type', path: 'contact.phone' },
  ])
  t.equal(drift.length, 2)
})

t.test('each way in which Hilos can fail is a problem of its own, and shows nothing of its response', async (t) => {
  const faultText = 'canary-of-upstream'
  const patient = await startService(t, { faultText })
  const impatient = await startService(t, { faultText, env: { HILOS_TIMEOUT_MS: '1500' } })
  const kinds = [
    [502, 'upstream_unauthorized', null, 'unauthorized'],
    [502, 'upstream_forbidden', null, 'forbidden'],
    [503, 'upstream_rate_limited', 7, 'rateLimited'],
    [503, 'upstream_rate_limited', 300, 'closedForLong'],
    [502, 'upstream_error', 2, 'broken'],
    [503, 'upstream_unavailable', 2, 'outOfService', 'timedOut', 'reset'],
    [502, 'upstream_redirect', null, 'redirect'],
    [504, 'upstream_timeout', 2, 'slow', 'hang', 'hangInBody'],
    [502, 'upstream_invalid_response', 2, 'cutBody', 'invalidJson', 'html', 'empty', 'wrongEncoding'],
    [502, 'upstream_invalid_response', 2, 'anotherId', 'notHttp'],
    [502, 'upstream_too_large', null, 'huge', 'gzipBomb'],
    [502, 'upstream_misconfigured', 5, 'htmlNotFound', 'gatewayNotFound'],
  ] as const
  const cases = kinds.flatMap(([status, code, retryAfterSeconds, ...faults]) =>
    faults.map((fault) => ({ id: faultIds[fault], status, code, retryAfterSeconds })),
  )
  t.strictSame(cases.map(({ id }) => id).sort(), Object.values(faultIds).sort())
  for (const { id, ...problem } of cases) {
    const { get, clock } = problem.code === 'upstream_timeout' ? impatient : patient
    const { status, headers, json, text } = await get(pathOf(id))
    t.equal(status, problem.status, problem.code)
    const requestId = headers.get('x-request-id')
    t.match(json(), { ...problem, type: `/problems/${problem.code}`, instance: pathOf(id), requestId })
    t.equal(headers.get('retry-after'), problem.retryAfterSeconds && String(problem.retryAfterSeconds))
    t.equal(headers.get('cache-control'), 'no-store')
    t.equal(headers.get('content-type'), 'application/problem+json')
    for (const absent of ['etag', 'age', 'cache-status', 'www-authenticate', 'location'])
      t.equal(headers.get(absent), null, absent)
    t.notMatch(text, faultText)
    // The circuit breaker is closed again by then.
    clock.advance(60_000)
  }
  for (const { log, store } of [patient, impatient]) {
    t.notMatch(log(), faultText)
    t.strictSame([...store.entries()], [])
  }
})
