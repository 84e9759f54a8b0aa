import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { faultIds } from '../../../sandbox/faults.ts'
import { createCollector } from '../../harness/collector.ts'
import { encoded } from '../../harness/issuer.ts'
import { id, parentSpanId, path, startTraced, token, traced, traceId, traceparent } from './traced-process.ts'

t.test(
  'a request, when it is part of a trace, continues it; the call to Hilos is its child and tells nobody',
  async (t) => {
    const collector = await createCollector(t)
    const { get, stop, lines, hilosGot, stderr } = await startTraced(t, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    })
    t.equal(await get(`${path}?view=summary`, traced), 200)
    t.equal(await stop(), 0)
    const [call, request] = collector.spans()
    t.match(request, {
      name: 'GET /execution-contacts/:id',
      kind: 2,
      service: 'hilos-bff',
      traceId,
      parentSpanId,
      status: { code: 0 },
    })
    t.strictSame(request?.attributes, {
      'http.request.method': 'GET',
      'http.route': '/execution-contacts/:id',
      'http.response.status_code': 200,
    })
    t.match(call, {
      name: 'GET /channel/whatsapp/flow-execution-contact/{id}',
      kind: 3,
      traceId,
      parentSpanId: request?.spanId,
      status: { code: 0 },
    })
    t.match(call?.attributes, { 'server.port': Number, 'http.response.status_code': 200 })
    t.strictSame(Object.keys(call?.attributes ?? {}), [
      ...['http.request.method', 'server.address', 'server.port', 'url.template', 'http.response.status_code'],
    ])
    t.equal(collector.spans().length, 2)
    for (const msg of ['answered', 'disclosed'])
      t.equal(lines().find((line) => line.msg === msg)?.traceId, traceId, msg)
    t.notMatch(hilosGot(), /traceparent|tracestate|baggage/i)
    t.equal(stderr(), '')
  },
)

t.test('a request, when it is part of no trace, begins one, and the log names it', async (t) => {
  const collector = await createCollector(t)
  const { get, stop, lines } = await startTraced(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_SERVICE_NAME: 'another-name',
  })
  await get('/nothing')
  await get('/nothing', { traceparent: traceparent.toUpperCase() })
  await stop()
  const spans = collector.spans()
  t.match(spans, [
    { name: 'GET', service: 'another-name', attributes: { 'error.type': 'route_not_found' } },
    { name: 'GET', attributes: { 'http.response.status_code': 404 } },
  ])
  t.notOk(spans.some((span) => 'http.route' in span.attributes || span.parentSpanId))
  const answered = lines().filter(({ msg }) => msg === 'answered')
  t.strictSame(
    answered.map((line) => line.traceId),
    spans.map((span) => span.traceId),
  )
})

t.test('a request, when it ends badly, says in its span how, in our words', async (t) => {
  const collector = await createCollector(t)
  const { get, stop, says, sandbox } = await startTraced(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    HILOS_TIMEOUT_MS: '1000',
  })
  t.equal(await get(`/execution-contacts/${faultIds.broken}`), 502)
  t.equal(await get(`/execution-contacts/${faultIds.hang}`), 504)
  t.equal(await get(`/execution-contacts/${randomUUID()}`), 404)
  const asked = sandbox.requests.length
  const leaving = new AbortController()
  const left = get(`/execution-contacts/${faultIds.slow}`, {}, leaving.signal)
  while (sandbox.requests.length === asked) await setTimeout(5)
  leaving.abort()
  await t.rejects(left)
  await says(/the caller left/)
  await stop()
  const outcomes = collector
    .spans()
    .slice(0, 7)
    .map(({ kind, attributes, status }) => [
      kind === 2 ? 'request' : 'call',
      attributes['http.response.status_code'],
      attributes['error.type'],
      status.code === 2,
    ])
  t.strictSame(outcomes, [
    ['call', 500, '500', true],
    ['request', 502, 'upstream_error', true],
    ['call', undefined, 'TimeoutError', true],
    ['request', 504, 'upstream_timeout', true],
    ['call', 404, undefined, false],
    ['request', 404, 'execution_contact_not_found', false],
    ['request', undefined, 'caller_left', false],
  ])
})

t.test('a span, whatever the request, the settings and the failure held, has none of it', async (t) => {
  const collector = await createCollector(t)
  const { get, stop, key, origin } = await startTraced(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    JWT_ISSUER: 'https://issuer-canary.example',
    JWT_AUDIENCE: 'audience-canary',
    // Nobody is there, or somebody who knows nothing of it.
    JWT_JWKS_URL: 'http://127.0.0.1/keys-canary?query-canary',
  })
  const ownId = 'ca4a4ca4-0000-4000-8000-00000000ca4a'
  const headers = { ...traced, 'user-agent': 'agent-canary', 'x-request-id': 'request-canary', cookie: 'cookie-canary' }
  await get(`/execution-contacts/${ownId}?view=summary`, headers)
  await get(`${path}?view=query-canary`, headers)
  await get(`/execution-contacts/${ownId}/path-canary`, headers)
  await get('/path-canary', headers)
  await fetch(`${origin}${path}`, { method: 'POST', headers, body: 'body-canary' })
  const forged = [
    { alg: 'RS256', kid: 'kid-canary', typ: 'at+jwt' },
    { sub: 'sub-canary', exp: 4e9 },
    'signature-canary',
  ]
  const bearer = forged.map(encoded).join('.')
  t.equal(await get(path, { ...headers, authorization: `Bearer ${bearer}` }), 503)
  t.equal(await stop(), 0)
  t.match(
    collector.spans().find((span) => span.name === 'GET' && span.kind === 3)?.attributes,
    { 'http.request.method': 'GET', 'server.address': '127.0.0.1', 'server.port': undefined },
    'the issuer was asked',
  )
  t.equal(collector.spans().length, 8)
  const received = collector.received().join('\n')
  t.notMatch(received, /canary|ca4a4ca4/i)
  t.notMatch(received, id)
  for (const secret of [token, key, bearer]) for (const part of secret.split('.')) t.notOk(received.includes(part))
})

t.test(
  'Hilos, when the settings ask for it, is told the trace, and nothing else; the issuer is told nothing',
  async (t) => {
    // The issuer knows no keys, but remembers what it was sent.
    const [collector, issuer] = [await createCollector(t), await createCollector(t)]
    const { get, stop, hilosGot } = await startTraced(t, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_PROPAGATE_TO_UPSTREAM: 'true',
      JWT_ISSUER: issuer.endpoint,
      JWT_AUDIENCE: 'audience',
      JWT_JWKS_URL: `${issuer.endpoint}/keys`,
    })
    t.equal(await get(path, traced), 200)
    const bearer = [{ alg: 'RS256', kid: 'kid', typ: 'at+jwt' }, { exp: 4e9 }, 'signature'].map(encoded).join('.')
    await get(path, { ...traced, authorization: `Bearer ${bearer}` })
    await stop()
    const call = collector.spans().find(({ kind }) => kind === 3)
    t.match(hilosGot(), `traceparent,00-${traceId}-${call?.spanId}-01`)
    t.notMatch(hilosGot(), /tracestate|baggage/i)
    const [asked] = issuer.received()
    t.match(asked, /^GET \/keys/)
    t.notMatch(asked, /traceparent|tracestate|baggage/i)
  },
)

t.test('the operators, when they probe, leave no span', async (t) => {
  const collector = await createCollector(t)
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as AddressInfo
  await new Promise((resolve) => free.close(resolve))
  const { get, stop } = await startTraced(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    ADMIN_PORT: String(port),
  })
  for (const probe of ['livez', 'readyz', 'metrics']) await (await fetch(`http://127.0.0.1:${port}/${probe}`)).text()
  await get('/nothing')
  await stop()
  t.equal(collector.spans().length, 1)
})
