import { createHmac } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { executionContact, flow, uuid } from '../../sandbox/parts.ts'
import { type ArrangedCaller, contactRefKey, type RunningService, startService } from '../harness/service.ts'

const id = documentIds.deliveryConfirmation
const path = `/execution-contacts/${id}`
const callers: readonly ArrangedCaller[] = [
  { name: 'support-web', profile: 'agent', flows: [uuid(0xf1, 1)] },
  { name: 'everything', profile: 'full' },
]
const disclosureKey = createHmac('sha256', contactRefKey).update('record of disclosure').digest('hex')
const pseudonymOf = (text: string, key = disclosureKey) =>
  createHmac('sha256', key).update(text).digest('hex').slice(0, 32)
const recordsOf = ({ logLines }: RunningService) => logLines().filter(({ record }) => record === 'disclosure')

t.test('the line of a request that shows data has the caller, the profile and the pseudonym', async (t) => {
  const running = await startService(t, { callers })
  const { get, as, log, clock } = running
  const etag = (await get(path, { ...as('support-web'), 'x-request-id': 'first' })).headers.get('etag') ?? ''
  await get(`${path}?view=summary&profile=viewer`, as('everything'))
  await get(path, { ...as('support-web'), 'if-none-match': etag })
  await get(path.toUpperCase().replace('/EXECUTION-CONTACTS', '/execution-contacts'), as('everything'), 'HEAD')
  clock.advance(2000)
  await get(path, { ...as('everything'), 'cache-control': 'no-cache' })
  const contact = pseudonymOf(id)
  const agent = { caller: 'support-web', kind: 'key', profile: 'agent', view: 'timeline', contact }
  const full = { caller: 'everything', profile: 'full', view: 'timeline', status: 200, contact }
  t.match(recordsOf(running), [
    { ...agent, requestId: 'first', status: 200, cache: 'uri-miss', msg: 'answered', level: 30 },
    { ...full, profile: 'viewer', view: 'summary', cache: 'hit' },
    { ...agent, status: 304, cache: 'hit' },
    { ...full, cache: 'hit' },
    { ...full, cache: 'request' },
  ])
  t.equal(recordsOf(running).length, 5)
  t.equal(running.logLines().filter(({ route }) => route).length, 5, 'a request has no other line')
  t.notMatch(log(), id, 'no line has the id')
})

t.test('what a response shows is recorded before it is sent', async (t) => {
  const running = await startService(t)
  const recorded: number[] = []
  const watch = (message: unknown) => {
    const { request, response } = message as { request: IncomingMessage; response: ServerResponse }
    const { writeHead } = response
    response.writeHead = (...given: unknown[]) => {
      if (request.url === path) recorded.push(recordsOf(running).length)
      return Reflect.apply(writeHead, response, given)
    }
  }
  subscribe('http.server.request.start', watch)
  t.teardown(() => unsubscribe('http.server.request.start', watch))
  const { headers } = await running.get(path)
  await running.get(path, { 'if-none-match': String(headers.get('etag')) })
  t.strictSame(recorded, [1, 2])
})

t.test('a response that shows no data leaves no line', async (t) => {
  const running = await startService(t, { callers })
  const { get, as, sandbox } = running
  const outside = uuid(0x0de, 1)
  sandbox.documents.set(outside, () => executionContact(outside, { flow: flow({ id: uuid(0xf1, 2) }) }))
  for (const [url, headers] of [
    [path, {}],
    [`${path}?profile=full`, as('support-web')],
    ['/execution-contacts/x', as('everything')],
    [`/execution-contacts/${uuid(0xdead, 1)}`, as('everything')],
    [`/execution-contacts/${outside}`, as('support-web')],
    [path, { ...as('everything'), 'cache-control': 'only-if-cached' }],
    [path, { ...as('everything'), accept: 'text/html' }],
  ] as const)
    t.ok((await get(url, headers)).status >= 400)
  t.strictSame(recordsOf(running), [])
})

t.test('the record is at its own level, and without it the line of a request has nothing of it', async (t) => {
  const plain = { method: 'GET', route: '/execution-contacts/:id', status: 200, caller: 'anonymous' }
  const disclosed = { ...plain, kind: 'anonymous', profile: 'full', view: 'timeline', contact: pseudonymOf(id) }
  for (const [LOG_LEVEL, DISCLOSURE_LOG_LEVEL, record] of [
    ['silent', '', disclosed],
    ['warn', 'info', disclosed],
    ['info', 'trace', disclosed],
    ['info', 'warn', plain],
    ['trace', 'silent', plain],
    ['warn', 'silent', null],
  ] as const) {
    const running = await startService(t, { env: { LOG_LEVEL, DISCLOSURE_LOG_LEVEL } })
    await running.get(path)
    const lines = running.logLines().filter(({ route }) => route)
    const expected = record === disclosed ? { record: 'disclosure', ...record } : record
    const rest = lines.map(({ level, time, requestId, cache, waitedMs, durationMs, msg, ...given }) => given)
    t.strictSame(rest, expected === null ? [] : [expected], `${LOG_LEVEL}, ${DISCLOSURE_LOG_LEVEL}`)
  }
})
