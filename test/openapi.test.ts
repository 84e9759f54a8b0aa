import { readFileSync } from 'node:fs'
import t from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { version } from '../src/common/version.ts'
import { type FailureCode, failureKinds } from '../src/failures/failure-kinds.ts'
import { type EventSource, openEvents } from './harness/event-source.ts'
import { startService } from './harness/service.ts'
import { createTimers } from './harness/timers.ts'

const path = '/execution-contacts/{id}'
const committed = (name: string) => JSON.parse(readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8'))
const document = committed('openapi.json')
const operation = document.paths[path].get
const events = document.paths[`${path}/events`].get

t.test('the OpenAPI document that is served is the committed one', async (t) => {
  const { get } = await startService(t)
  const served = await get('/openapi.json')
  t.equal(served.status, 200)
  t.match(served.headers.get('content-type'), /^application\/json/)
  t.strictSame(served.json(), document)
  t.strictSame((await get('/docs/json')).json(), document)
  t.equal(document.openapi, '3.1.0')
  t.equal(document.info.version, version)
})

t.test('each format of a parameter has a pattern beside it, because only patterns are checked', async (t) => {
  const described = [document, committed('openapi-operators.json')].flatMap(({ paths }) => Object.values<object>(paths))
  const parameters = described.flatMap((each) => Object.values(each)).flatMap(({ parameters = [] }) => parameters)
  const withFormat = parameters.flatMap(({ schema }) => (schema.format === undefined ? [] : [schema]))
  t.equal(withFormat.length, 3)
  for (const { pattern } of withFormat) t.type(pattern, 'string')
})

t.test('the examples are what the service answers', async (t) => {
  const { get } = await startService(t)
  const { examples } = operation.responses['200'].content['application/json']
  t.strictSame(Object.keys(examples), ['summary', 'timeline', 'transcript', 'agent', 'viewer'])
  for (const [name, { summary, value }] of Object.entries<{ summary: string; value: unknown }>(examples)) {
    // The title of an example begins with its query.
    const query = /^[^:,]*/.exec(summary)?.[0]
    const reply = await get(`/execution-contacts/${documentIds.deliveryConfirmation}?${query}`)
    t.strictSame(reply.json(), value, name)
  }
  for (const [code, target] of Object.entries({
    invalid_id: '/execution-contacts/x',
    invalid_query: `/execution-contacts/${documentIds.ready}?x`,
    execution_contact_not_found: '/execution-contacts/00000000-0000-4000-8000-00000000dead',
  })) {
    const reply = await get(target)
    t.equal(reply.json().code, code)
    const { description, content } = operation.responses[reply.status]
    t.match(description, `\`${code}\`: ${reply.json().detail}`)
    const { examples = {} } = content['application/problem+json']
    const { instance: _instance, requestId: _requestId, ...expected } = examples[code]?.value ?? {}
    t.match(reply.json(), expected, code)
    t.equal(code in examples, code === 'invalid_id', 'the first of its class has an example')
  }
})

t.test('each status has a schema, and each schema a name', async (t) => {
  t.strictSame(Object.keys(document.components.schemas).sort(), [
    'Answer',
    'Contact',
    'Delivery',
    'ExecutionContactStatus',
    'ExecutionContactSummary',
    'ExecutionContactTimeline',
    'ExecutionContactTranscript',
    'Flow',
    'ItemProblem',
    'Message',
    'Problem',
    'ProblemCode',
    'Progress',
    'Step',
    'StepStatus',
  ])
  t.strictSame(Object.keys(document.paths), [
    path,
    '/execution-contacts',
    `${path}/events`,
    '/problems',
    '/problems/{code}',
  ])
  const elsewhere = [
    'route_not_found',
    'method_not_allowed',
    'request_timeout',
    'foreign_request',
    'shared_tier_unavailable',
  ]
  for (const [{ responses }, statuses, codesOfOthers] of [
    [operation, '200 304 400 401 403 404 406 412 414 429 431 500 502 503 504', ['too_many_streams', 'too_many_ids']],
    [
      events,
      '200 204 400 401 403 404 406 414 429 431 500 502 503 504',
      ['precondition_failed', 'not_cached', 'too_many_ids'],
    ],
  ] as const) {
    t.strictSame(Object.keys(responses), statuses.split(' '))
    const described = Object.entries<{ description: string; content?: Record<string, { schema?: unknown }> }>(responses)
    for (const [status, { content }] of described) {
      if (status === '304' || status === '204') t.equal(content, undefined)
      else for (const { schema } of Object.values(content ?? {})) t.type(schema, 'object', status)
    }
    const documented = described.flatMap(([status, { description }]) =>
      [...description.matchAll(/^`(\w+)`: /gm)].map(([, code = '']) => {
        t.equal(String(failureKinds[code as FailureCode].status), status, code)
        return code
      }),
    )
    t.strictSame([...documented, ...elsewhere, ...codesOfOthers].sort(), Object.keys(failureKinds).sort())
  }
})

t.test('the examples of the events are what the service sends', async (t) => {
  const clock = createTimers(Date.parse('2026-11-22T10:05:00Z'))
  const { origin, sandbox } = await startService(t, { clock })
  const open = async (id: string) => {
    const source = await openEvents(`${origin}/execution-contacts/${id}/events?view=summary&profile=agent`)
    t.teardown(source.leave)
    await source.nth('state', 1)
    return source
  }
  /** Moves the clock until Hilos is asked. */
  const passUntilAsked = async () => {
    const before = sandbox.requests.length
    while (sandbox.requests.length === before) await clock.advance(500)
  }
  /** Without what differs from stream to stream: the wait and the id of the request. */
  const comparable = (text: string) =>
    text.replace(/^retry: (\d{4})$/gm, 'retry: N').replace(/"requestId":"[^"]+"/g, '"requestId":"R"')
  const { examples } = events.responses['200'].content['text/event-stream']
  t.strictSame(Object.keys(examples), ['running', 'trouble', 'settled', 'erased'])
  const wanted = (name: string) => comparable(examples[name].value)
  /** The last events of a stream, as many as the example has. */
  const lastOf = (source: EventSource, name: string) => {
    const blocks = comparable(source.text()).split('\n\n')
    return blocks.slice(-wanted(name).split('\n\n').length).join('\n\n')
  }

  const source = await open(documentIds.deliveryConfirmation)
  await passUntilAsked()
  await source.nth('checked', 1)
  t.equal(comparable(source.text()), wanted('running'))

  sandbox.faults.set(documentIds.deliveryConfirmation, 'hang')
  await passUntilAsked()
  while (lastOf(source, 'trouble') !== wanted('trouble') && clock.now() < Date.parse('2026-11-22T10:06:00Z'))
    await clock.advance(500)
  t.equal(lastOf(source, 'trouble'), wanted('trouble'))

  sandbox.faults.clear()
  sandbox.documents.delete(documentIds.deliveryConfirmation)
  while (!source.isOver()) await clock.advance(500)
  t.equal(lastOf(source, 'erased'), wanted('erased'))

  await clock.advance(90 * 60_000)
  const late = await open(documentIds.completed)
  await late.over()
  t.equal(lastOf(late, 'settled'), wanted('settled'))
})

t.test('a key or an access token is needed for contacts only', async (t) => {
  t.match(document.components.securitySchemes, {
    credential: { type: 'http', scheme: 'bearer', description: /key.*token.*execution-contacts:viewer.*hilos_flows/s },
  })
  t.strictSame(Object.keys(document.components.securitySchemes), ['credential'], 'the page has one box')
  for (const { security } of [operation, events]) t.strictSame(security, [{ credential: [] }])
  for (const open of ['/problems', '/problems/{code}']) t.equal(document.paths[open].get.security, undefined)
  for (const { responses } of [operation, events])
    for (const status of ['401', '403']) t.ok(responses[status].headers['WWW-Authenticate'], status)
})

t.test('the parameters begin with those that a request needs', async (t) => {
  const names = operation.parameters.map(({ name }: { name: string }) => name)
  t.strictSame(names, ['id', 'view', 'profile', 'if-none-match', 'prefer', 'if-match', 'cache-control'])
  const ofEvents = events.parameters.map(({ name }: { name: string }) => name)
  t.strictSame(ofEvents, ['id', 'view', 'profile', 'last-event-id'])
})

t.test('the documentation page runs its own scripts, and uses no other host', async (t) => {
  const { get } = await startService(t)
  for (const page of ['/docs', '/docs/']) {
    const reply = await get(page)
    t.equal(reply.status, 200)
    const policy = reply.headers.get('content-security-policy') ?? ''
    t.match(policy, /^default-src 'none'; script-src 'self'; /)
    t.notMatch(policy, /https?:|\*|unsafe-eval|script-src[^;]*unsafe/)
    t.notMatch(reply.text, /(src|href)="(https?:)?\/\/|<script>| style=/)
    t.match(reply.text, '<meta name="viewport" content="width=device-width">')
    t.match(reply.text, '<meta name="color-scheme" content="light dark">')
    t.notMatch(reply.text, 'data-read-only', 'the page sends requests')
    const files = [...reply.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file = '']) => file)
    const paths = files.map((file) => new URL(file, `http://service.example${page}`).pathname)
    t.strictSame(
      paths,
      ['swagger-ui.css', 'page.css', 'swagger-ui-bundle.js', 'page.js'].map((name) => `/docs/static/${name}`),
    )
    for (const path of paths) {
      const type = path.endsWith('.css') ? 'text/css; charset=utf-8' : 'text/javascript; charset=utf-8'
      t.strictSame([(await get(path)).status, (await get(path)).headers.get('content-type')], [200, type], path)
    }
  }
})

t.test('a setting says who gets the documentation', async (t) => {
  const pages = ['/docs', '/docs/', '/docs/json', '/docs/yaml', '/docs/static/swagger-ui-bundle.js']
  for (const [docs, callersStatus, operatorsStatus] of [
    ['callers', 200, 404],
    ['operators', 404, 200],
    ['off', 404, 404],
  ] as const) {
    const { get, service } = await startService(t, { env: { DOCS: docs } })
    for (const page of pages) {
      t.equal((await get(page)).status, callersStatus, `${docs} ${page}`)
      t.equal((await service.operators?.inject(page))?.statusCode, operatorsStatus, `${docs} ${page}`)
    }
    t.equal((await get('/openapi.json')).status, callersStatus)
    t.equal((await get('/problems/forbidden')).status, 200, 'the pages of problems belong to the API')
    if (docs !== 'operators') continue
    t.strictSame((await service.operators?.inject('/docs/json'))?.json(), document)
    t.match((await service.operators?.inject('/docs'))?.body, 'data-read-only', 'the API is on the other listener')
  }
})

t.test('the OpenAPI document of the operators is the committed one, and has all their paths', async (t) => {
  const { service } = await startService(t)
  const served = await service.operators?.inject('/openapi.json')
  const { paths, ...rest } = committed('openapi-operators.json')
  t.strictSame(served?.json(), { ...rest, paths })
  const operations = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  )
  const read = ['cache', 'contract', 'livez', 'metrics', 'problems', 'problems/{code}', 'readyz', 'version']
  const deleted = ['delete /cache', 'delete /cache/execution-contacts/{id}']
  t.strictSame(operations.sort(), [...deleted, ...read.map((name) => `get /${name}`)])
})
