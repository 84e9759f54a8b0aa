import { createHmac } from 'node:crypto'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { executionContact, flow, uuid } from '../../sandbox/parts.ts'
import { anonymous } from '../../src/access/caller.ts'
import { Secret } from '../../src/common/secret.ts'
import { createDisclosureRecord } from '../../src/telemetry/disclosures.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { type ArrangedCaller, contactRefKey, startService } from '../harness/service.ts'

const id = documentIds.deliveryConfirmation
const path = `/execution-contacts/${id}`
const callers: readonly ArrangedCaller[] = [
  { name: 'support-web', profile: 'agent', flows: [uuid(0xf1, 1)] },
  { name: 'everything', profile: 'full' },
]
const pseudonymOf = (text: string, key = contactRefKey) =>
  createHmac('sha256', key).update(text).digest('hex').slice(0, 32)

t.test('an answer, when it discloses something, leaves one line that says to whom, what and how', async (t) => {
  const { get, as, logLines, log, clock } = await startService(t, { callers })
  const recorded = () => logLines().filter(({ record }) => record === 'disclosure')
  const etag = (await get(path, { ...as('support-web'), 'x-request-id': 'first' })).headers.get('etag') ?? ''
  await get(`${path}?view=summary&profile=viewer`, as('everything'))
  await get(path, { ...as('support-web'), 'if-none-match': etag })
  await get(path.toUpperCase().replace('/EXECUTION-CONTACTS', '/execution-contacts'), as('everything'), 'HEAD')
  clock.advance(2000)
  await get(path, { ...as('everything'), 'cache-control': 'no-cache' })
  const contact = pseudonymOf(id)
  const agent = { caller: 'support-web', kind: 'key', profile: 'agent', view: 'timeline', contact }
  t.match(recorded(), [
    { ...agent, requestId: 'first', status: 200, cache: 'uri-miss', msg: 'disclosed', level: 30 },
    { caller: 'everything', profile: 'viewer', view: 'summary', status: 200, cache: 'hit', contact },
    { ...agent, status: 304, cache: 'hit' },
    { caller: 'everything', profile: 'full', view: 'timeline', status: 200, cache: 'hit', contact },
    { caller: 'everything', profile: 'full', view: 'timeline', status: 200, cache: 'request', contact },
  ])
  t.equal(recorded().length, 5)
  t.notMatch(log(), id, 'and no line has the id')
})

t.test('an answer, when it goes to somebody nobody knows, is recorded as theirs', async (t) => {
  const { get, logLines } = await startService(t)
  await get(path)
  t.match(
    logLines().filter(({ record }) => record === 'disclosure'),
    [{ caller: 'anonymous', kind: 'anonymous', profile: 'full' }],
  )
})

t.test('an answer, when it discloses nothing, leaves none', async (t) => {
  const { get, as, logLines, sandbox } = await startService(t, { callers })
  const outside = uuid(0x0de, 1)
  sandbox.documents.set(outside, () => executionContact(outside, { flow: flow({ id: uuid(0xf1, 2) }) }))
  const silent = [
    [path, {}],
    [`${path}?profile=full`, as('support-web')],
    ['/execution-contacts/x', as('everything')],
    [`/execution-contacts/${uuid(0xdead, 1)}`, as('everything')],
    [`/execution-contacts/${outside}`, as('support-web')],
    [path, { ...as('everything'), 'cache-control': 'only-if-cached' }],
    [path, { ...as('everything'), accept: 'text/html' }],
  ] as const
  for (const [url, headers] of silent) t.ok((await get(url, headers)).status >= 400)
  t.strictSame(
    logLines().filter(({ record }) => record === 'disclosure'),
    [],
  )
})

t.test('the record, has a level of its own, whatever that of the log is', async (t) => {
  for (const [env, count] of [
    [{ LOG_LEVEL: 'silent' }, 1],
    [{ LOG_LEVEL: 'fatal', DISCLOSURE_LOG_LEVEL: 'info' }, 1],
    [{ LOG_LEVEL: 'trace', DISCLOSURE_LOG_LEVEL: 'silent' }, 0],
    [{ LOG_LEVEL: 'trace', DISCLOSURE_LOG_LEVEL: 'warn' }, 0],
  ] as const) {
    const { get, as, logLines } = await startService(t, { callers, env })
    await get(path, as('everything'))
    t.equal(logLines().filter(({ record }) => record === 'disclosure').length, count, JSON.stringify(env))
  }
})

t.test(
  'an id, however many there were meanwhile, has one pseudonym under one key, and another under another',
  async (t) => {
    const lines: string[] = []
    const logger = createLogger('info', { write: (line) => void lines.push(line) })
    const record = createDisclosureRecord(logger, 'info', new Secret('key'))
    const other = createDisclosureRecord(logger, 'info', new Secret('another key'))
    const disclosure = {
      requestId: 'r',
      traceId: undefined,
      caller: anonymous,
      profile: 'full',
      view: 'summary',
      status: 200,
      cache: 'hit',
    } as const
    const contactsOf = () => lines.splice(0).map((line) => JSON.parse(line).contact)
    for (let number = 0; number <= 10_000; number += 1) record({ ...disclosure, id: uuid(1, number % 10_001) })
    record({ ...disclosure, id: uuid(1, 0) })
    other({ ...disclosure, id: uuid(1, 0) })
    const contacts = contactsOf()
    t.equal(contacts[0], pseudonymOf(uuid(1, 0), 'key'))
    t.equal(contacts.at(-2), contacts[0])
    t.equal(contacts.at(-1), pseudonymOf(uuid(1, 0), 'another key'))
    t.equal(new Set(contacts).size, 10_002)
  },
)
