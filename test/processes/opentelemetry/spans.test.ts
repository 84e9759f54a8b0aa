import { randomUUID } from 'node:crypto'
import t from 'tap'
import { faultIds } from '../../../sandbox/faults.ts'
import { createCollector } from '../../harness/collector.ts'
import { freePort } from '../../harness/free-port.ts'
import { preload } from '../../harness/process.ts'
import { hilosToken } from '../../harness/service-process.ts'
import { createTrace, forgedToken, id, parentSpanId, path, startTraced, tracing } from './traced-process.ts'

const traceHeaders = /traceparent|tracestate|baggage/i

/** Input ends the deadlines of all calls in flight: the timers of more than half of HILOS_TIMEOUT_MS. */
const heldDeadlines = preload(`const [schedule, deadlines] = [setTimeout, []]
  globalThis.setTimeout = (run, ms, ...rest) => {
    if (ms <= 4000 || ms > 8000) return schedule(run, ms, ...rest)
    deadlines.push(run)
    return schedule(() => {}, ms)
  }
  process.stdin.on('data', () => {
    for (const run of deadlines) run()
  })`)

t.test('spans of requests and calls', async (t) => {
  const collector = await createCollector(t)
  const settings = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    ADMIN_PORT: String(await freePort()),
    JWT_ISSUER: 'https://issuer-canary.example',
    JWT_AUDIENCE: 'audience-canary',
    // On most machines no server listens on port 80; any other server has no such keys.
    JWT_JWKS_URL: 'http://127.0.0.1/keys-canary?query-canary',
  }
  const service = await startTraced(t, settings, { nodeOptions: [...tracing, ...heldDeadlines] })
  const { get, stop, key, origin, operators, lines, hilosReceived, sandbox, arrived } = service
  const spansOf = ({ traceId }: { readonly traceId: string }) =>
    collector.spans().filter((span) => span.traceId === traceId)

  const continued = createTrace()
  t.equal(await get(`${path}?view=summary`, continued.headers), 200)
  for (const probe of ['livez', 'readyz', 'metrics']) await (await fetch(`${operators}/${probe}`)).text()

  const [broken, absent, late, abandoned] = [createTrace(), createTrace(), createTrace(), createTrace()]
  t.equal(await get(`/execution-contacts/${faultIds.broken}`, broken.headers), 502)
  t.equal(await get(`/execution-contacts/${randomUUID()}`, absent.headers), 404)
  const lateStatus = get(`/execution-contacts/${faultIds.hang}`, late.headers)
  await arrived(sandbox.requests.length + 1)
  service.child.stdin?.end('over')
  t.equal(await lateStatus, 504)
  const leaving = new AbortController()
  const response = get(`/execution-contacts/${faultIds.slow}`, abandoned.headers, leaving.signal)
  await arrived(sandbox.requests.length + 1)
  leaving.abort()
  await t.rejects(response)
  await service.says(/caller disconnected before the response/)

  const watched = createTrace()
  const closing = new AbortController()
  const { body } = await fetch(`${origin}${path}/events`, {
    headers: { ...watched.headers, authorization: `Bearer ${key}` },
    signal: closing.signal,
  })
  await body?.getReader().read()
  closing.abort()
  await service.says(/stream ended/)

  const secret = createTrace()
  const secretId = 'ca4a4ca4-0000-4000-8000-00000000ca4a'
  const headers = {
    ...secret.headers,
    ...{ 'user-agent': 'agent-canary', 'x-request-id': 'request-canary', cookie: 'cookie-canary' },
  }
  await get(`/execution-contacts/${secretId}?view=summary`, headers)
  await get(`${path}?view=query-canary`, headers)
  await get(`/execution-contacts/${secretId}/path-canary`, headers)
  await get('/path-canary', headers)
  await fetch(`${origin}${path}`, { method: 'POST', headers, body: 'body-canary' })
  const bearer = forgedToken({ sub: 'sub-canary' }, 'canary')
  t.equal(await get(path, { ...headers, authorization: `Bearer ${bearer}` }), 503)
  t.equal(await stop(), 0)
  t.equal(service.stderr(), '')

  t.test('a request continues the trace of its caller, and the call to Hilos is a child of the request', async (t) => {
    const [call, request, ...others] = spansOf(continued)
    t.strictSame(others, [])
    t.match(request, {
      ...{ name: 'GET /execution-contacts/:id', kind: 2, service: 'hilos-bff' },
      ...{ parentSpanId, status: { code: 0 } },
    })
    t.strictSame(request?.attributes, {
      'http.request.method': 'GET',
      'http.route': '/execution-contacts/:id',
      'http.response.status_code': 200,
    })
    t.match(call, {
      ...{ name: 'GET /channel/whatsapp/flow-execution-contact/{id}', kind: 3 },
      ...{ parentSpanId: request?.spanId, status: { code: 0 } },
    })
    t.match(call?.attributes, { 'server.port': Number, 'http.response.status_code': 200 })
    t.strictSame(Object.keys(call?.attributes ?? {}), [
      ...['http.request.method', 'server.address', 'server.port', 'url.template', 'http.response.status_code'],
    ])
    const logged = lines().filter(({ traceId }) => traceId === continued.traceId)
    t.match(logged, [{ msg: 'answered', record: 'disclosure' }])
    t.equal(logged.length, 1)
    t.notMatch(hilosReceived(), traceHeaders)
  })

  t.test('a span of a failed request or call names the failure by its code', async (t) => {
    const outcomes = [broken, late, absent, abandoned]
      .flatMap(spansOf)
      .map(({ kind, attributes, status }) => [
        kind === 2 ? 'request' : 'call',
        attributes['http.response.status_code'],
        attributes['error.type'],
        status.code === 2,
      ])
    // The call for the caller that left can end before or after the process.
    t.strictSame(outcomes.slice(0, 7), [
      ['call', 500, '500', true],
      ['request', 502, 'upstream_error', true],
      ['call', undefined, 'TimeoutError', true],
      ['request', 504, 'upstream_timeout', true],
      ['call', 404, undefined, false],
      ['request', 404, 'execution_contact_not_found', false],
      ['request', undefined, 'caller_left', false],
    ])
  })

  t.test('a stream is a span with the status of its start, however it ends', async (t) => {
    const [span, ...others] = spansOf(watched)
    t.match(span, { name: 'GET /execution-contacts/:id/events', kind: 2, status: { code: 0 } })
    t.match(span?.attributes, { 'http.response.status_code': 200, 'error.type': undefined })
    t.strictSame(others, [], 'what the cache has is not loaded')
  })

  t.test('no span contains an id, a key or other text of a request, a setting or a failure', async (t) => {
    const spans = spansOf(secret)
    t.equal(spans.length, 8)
    t.match(
      spans.find(({ name, kind }) => name === 'GET' && kind === 3)?.attributes,
      { 'http.request.method': 'GET', 'server.address': '127.0.0.1', 'server.port': undefined },
      'the issuer was called',
    )
    const received = collector.received().join('\n')
    t.notMatch(received, /canary|ca4a4ca4/i)
    const secrets = [id, hilosToken, key, ...bearer.split('.')]
    t.notOk(secrets.some((each) => received.includes(each)))
  })

  t.test('probes of the operators have no span', async (t) => {
    const traces = new Set([continued, broken, late, absent, abandoned, watched, secret].map(({ traceId }) => traceId))
    t.ok(collector.spans().every(({ traceId }) => traces.has(traceId)))
  })
})

t.test('spans with settings', async (t) => {
  // The second one stands for an issuer without keys, and records its requests.
  const [collector, issuer] = [await createCollector(t), await createCollector(t)]
  const { get, stop, lines, hilosReceived } = await startTraced(t, {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_SERVICE_NAME: 'another-name',
    OTEL_PROPAGATE_TO_UPSTREAM: 'true',
    JWT_ISSUER: issuer.endpoint,
    JWT_AUDIENCE: 'audience',
    JWT_JWKS_URL: `${issuer.endpoint}/keys`,
  })
  const { traceId, headers } = createTrace()
  t.equal(await get(path, headers), 200)
  await get(path, { ...headers, authorization: `Bearer ${forgedToken({}, 'x')}` })
  await get('/nothing')
  await get('/nothing', { traceparent: headers.traceparent.toUpperCase() })
  t.equal(await stop(), 0)
  const spans = collector.spans()

  t.test('with OTEL_PROPAGATE_TO_UPSTREAM only Hilos receives the trace, in traceparent', async (t) => {
    const call = spans.find(({ kind }) => kind === 3)
    t.match(hilosReceived(), `traceparent,00-${traceId}-${call?.spanId}-01`)
    t.notMatch(hilosReceived(), /tracestate|baggage/i)
    const [asked] = issuer.received()
    t.match(asked, /^GET \/keys/)
    t.notMatch(asked, traceHeaders)
  })

  t.test('a request without a valid trace starts a new one, which the log names', async (t) => {
    const requests = spans.filter(({ name, kind }) => name === 'GET' && kind === 2)
    t.match(requests, [
      { service: 'another-name', attributes: { 'error.type': 'route_not_found' } },
      { attributes: { 'http.response.status_code': 404 } },
    ])
    t.notOk(requests.some((span) => 'http.route' in span.attributes || span.parentSpanId))
    const answered = lines().filter(({ msg, status }) => msg === 'answered' && status === 404)
    t.strictSame(
      answered.map((line) => line.traceId),
      requests.map((span) => span.traceId),
    )
  })
})
