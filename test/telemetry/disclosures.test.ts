import { createHmac } from 'node:crypto'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { executionContact, flow, uuid } from '../../sandbox/parts.ts'
import { anonymous } from '../../src/access/caller.ts'
import { Secret } from '../../src/common/secret.ts'
import { createDisclosureRecord, type Disclosure } from '../../src/telemetry/disclosures.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
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

t.test('a response that shows data leaves one line with the caller, the profile and the pseudonym', async (t) => {
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
    { ...agent, requestId: 'first', status: 200, cache: 'uri-miss', msg: 'disclosed', level: 30 },
    { ...full, profile: 'viewer', view: 'summary', cache: 'hit' },
    { ...agent, status: 304, cache: 'hit' },
    { ...full, cache: 'hit' },
    { ...full, cache: 'request' },
  ])
  t.equal(recordsOf(running).length, 5)
  t.notMatch(log(), id, 'no line has the id')
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

t.test('the record of an anonymous caller is at its own level', async (t) => {
  for (const [LOG_LEVEL, DISCLOSURE_LOG_LEVEL, count] of [
    ['silent', '', 1],
    ['fatal', 'info', 1],
    ['trace', 'silent', 0],
    ['trace', 'warn', 0],
  ] as const) {
    const running = await startService(t, { env: { LOG_LEVEL, DISCLOSURE_LOG_LEVEL } })
    await running.get(path)
    const records = recordsOf(running)
    t.equal(records.length, count, `${LOG_LEVEL}, ${DISCLOSURE_LOG_LEVEL}`)
    for (const record of records) t.match(record, { caller: 'anonymous', kind: 'anonymous', profile: 'full' })
  }
})

t.test('an id has one pseudonym per key, even when its pseudonym is no longer cached', async (t) => {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const facts = { requestId: 'r', traceId: undefined, caller: anonymous, profile: 'full', view: 'summary' } as const
  const disclosureOf = (number: number): Disclosure => ({ ...facts, id: uuid(1, number), status: 200, cache: 'hit' })
  const [record, other] = ['key', 'another key'].map((key) => createDisclosureRecord(logger, 'info', new Secret(key)))
  for (let number = 0; number <= 10_000; number += 1) record?.(disclosureOf(number))
  record?.(disclosureOf(0))
  other?.(disclosureOf(0))
  const contacts = lines.map((line) => JSON.parse(line).contact)
  const expected = pseudonymOf(uuid(1, 0), 'key')
  t.strictSame([contacts[0], ...contacts.slice(-2)], [expected, expected, pseudonymOf(uuid(1, 0), 'another key')])
  t.equal(new Set(contacts).size, 10_002)
})
