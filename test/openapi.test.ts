import { readFileSync } from 'node:fs'
import t from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { version } from '../src/common/version.ts'
import { failureKinds } from '../src/failures/failure-kinds.ts'
import { startService } from './harness/service.ts'

const path = '/execution-contacts/{id}'

t.test('the OpenAPI document, when served, is the committed one', async (t) => {
  const { get } = await startService(t)
  const served = await get('/openapi.json')
  t.equal(served.status, 200)
  t.match(served.headers.get('content-type'), /^application\/json/)
  const committed = JSON.parse(readFileSync(new URL('../docs/openapi.json', import.meta.url), 'utf8'))
  t.strictSame(served.json(), committed)
  t.strictSame((await get('/docs/json')).json(), committed)
  t.equal(committed.openapi, '3.1.0')
  t.equal(committed.info.version, version)
})

t.test('the examples, each as its title says it is asked for, are what the service really answers', async (t) => {
  const { get } = await startService(t)
  const { examples } = (await get('/openapi.json')).json().paths[path].get.responses['200'].content['application/json']
  t.strictSame(Object.keys(examples), ['summary', 'timeline', 'transcript', 'agent', 'viewer'])
  for (const [name, { summary, value }] of Object.entries<{ summary: string; value: unknown }>(examples)) {
    const query = /^[^:,]*/.exec(summary)?.[0]
    const reply = await get(`/execution-contacts/${documentIds.deliveryConfirmation}?${query}`)
    t.strictSame(reply.json(), value, name)
  }
})

t.test('the examples of problems, are what the service really answers', async (t) => {
  const { get } = await startService(t)
  const { responses } = (await get('/openapi.json')).json().paths[path].get
  const answers = {
    invalid_id: await get('/execution-contacts/x'),
    invalid_query: await get(`/execution-contacts/${documentIds.ready}?x`),
    execution_contact_not_found: await get('/execution-contacts/00000000-0000-4000-8000-00000000dead'),
  }
  for (const [code, reply] of Object.entries(answers)) {
    const {
      instance: _instance,
      requestId: _requestId,
      ...expected
    } = responses[reply.status].content['application/problem+json'].examples[code].value
    t.match(reply.json(), expected, code)
  }
})

t.test('every schema and every status, in the document, is named or has a schema', async (t) => {
  const { get } = await startService(t)
  const document = (await get('/openapi.json')).json()
  t.strictSame(Object.keys(document.components.schemas).sort(), [
    'Answer',
    'ExecutionContactSummary',
    'ExecutionContactTimeline',
    'ExecutionContactTranscript',
    'Message',
    'Problem',
    'Step',
  ])
  t.strictSame(Object.keys(document.paths), [path, '/problems/{code}'])
  const { responses } = document.paths[path].get
  t.strictSame(Object.keys(responses), ['200', '304', ...'400 401 403 404 406 414 429 431 500 502 503 504'.split(' ')])
  for (const [status, response] of Object.entries<{ content?: Record<string, { schema?: unknown }> }>(responses)) {
    if (status === '304') t.equal(response.content, undefined)
    else for (const { schema } of Object.values(response.content ?? {})) t.type(schema, 'object', status)
  }
  const documented = Object.values<{ content?: Record<string, { examples?: object }> }>(responses).flatMap(
    ({ content }) => Object.keys(content?.['application/problem+json']?.examples ?? {}),
  )
  const elsewhere = ['route_not_found', 'method_not_allowed', 'request_timeout']
  t.strictSame([...documented, ...elsewhere].sort(), Object.keys(failureKinds).sort())
})

t.test('both ways to say who calls, are described, and asked of the contacts only', async (t) => {
  const { get } = await startService(t)
  const { components, paths } = (await get('/openapi.json')).json()
  t.match(components.securitySchemes, {
    callerKey: { type: 'http', scheme: 'bearer', description: /key.*profile/s },
    accessToken: {
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'JWT',
      description: /execution-contacts:viewer.*hilos_flows/s,
    },
  })
  t.strictSame(paths[path].get.security, [{ callerKey: [] }, { accessToken: [] }])
  t.equal(paths['/problems/{code}'].get.security, undefined)
  for (const status of ['401', '403']) t.ok(paths[path].get.responses[status].headers['WWW-Authenticate'], status)
})

t.test('the documentation page, when opened, allows its own scripts and no other host', async (t) => {
  const { get } = await startService(t)
  for (const page of ['/docs', '/docs/']) {
    const reply = await get(page)
    t.equal(reply.status, 200)
    const policy = reply.headers.get('content-security-policy') ?? ''
    t.match(policy, /^default-src 'none'; script-src 'self'; /)
    t.notMatch(policy, /https?:|\*|unsafe-eval|script-src[^;]*unsafe/)
    t.notMatch(reply.text, /(src|href)="(https?:)?\/\//)
    t.notMatch(reply.text, /<script>/)
  }
  t.match((await get('/docs/static/swagger-initializer.js')).text, '"validatorUrl":null', 'no badge from elsewhere')
})

t.test(
  'the operators’ OpenAPI document, when served, is the committed one, and has every path of theirs',
  async (t) => {
    const { service } = await startService(t)
    const served = await service.operators?.inject('/openapi.json')
    const committed = JSON.parse(readFileSync(new URL('../docs/openapi-operators.json', import.meta.url), 'utf8'))
    t.strictSame(served?.json(), committed)
    const operations = Object.entries<object>(committed.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    )
    t.strictSame(operations.sort(), [
      'delete /cache',
      'delete /cache/execution-contacts/{id}',
      'get /cache',
      'get /contract',
      'get /livez',
      'get /metrics',
      'get /problems/{code}',
      'get /readyz',
      'get /version',
    ])
  },
)
