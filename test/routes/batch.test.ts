import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { executionContact, flow, stepExecution, uuid } from '../../sandbox/parts.ts'
import { noCallInFlight } from '../harness/calls.ts'
import { type Arrangement, startService, until } from '../harness/service.ts'
import { difference } from '../harness/table.ts'
import { createTimers, settled } from '../harness/timers.ts'

const [one, two, three] = [documentIds.deliveryConfirmation, documentIds.completed, documentIds.paused]
const missing = '00000000-0000-4000-8000-00000000dead'
const pathOf = (ids: readonly string[], more = '') => `/execution-contacts?ids=${ids.join()}${more}`
const runs = Array.from({ length: 25 }, (_, index) => uuid(0xba7c, index + 1))

async function start(t: Test, arrangement: Arrangement = {}) {
  const service = await startService(t, arrangement)
  for (const id of runs) service.sandbox.documents.set(id, () => executionContact(id))
  return service
}

t.test('each item has the bytes of the plain GET and its ETag, in the order of the ids', async (t) => {
  const { get, sandbox } = await start(t)
  for (const [view, more] of [
    ['summary', ''],
    ['timeline', '&view=timeline'],
    ['transcript', '&view=transcript'],
  ]) {
    const { status, text, json } = await get(pathOf([one, two.toUpperCase(), three, one], more))
    t.equal(status, 200)
    t.strictSame(
      json().items.map(({ id, status: of }: { id: string; status: number }) => `${id} ${of}`),
      [one, two, three, one].map((id) => `${id} 200`),
    )
    for (const [index, id] of [one, two, three].entries()) {
      const plain = await get(`/execution-contacts/${id}?view=${view}`)
      t.equal(json().items[index].etag, plain.headers.get('etag'))
      t.ok(text.includes(`"data":${plain.text}}`))
    }
  }
  t.equal(sandbox.requests.length, 3, 'a repeated id is loaded once')
})

t.test('what Hilos does is an item', async (t) => {
  const { get } = await start(t)
  const reply = await get(pathOf([one, missing, faultIds.broken, faultIds.unauthorized]))
  t.equal(reply.status, 200)
  const [found, absent, broken, refused] = reply.json().items
  t.equal(found.data.view, 'summary')
  t.strictSame(absent, {
    id: missing,
    status: 404,
    problem: {
      type: '/problems/execution_contact_not_found',
      title: 'There is no such execution contact',
      status: 404,
      code: 'execution_contact_not_found',
      detail: 'Hilos has no flow execution contact with this id.',
      retryable: false,
      retryAfterSeconds: null,
    },
  })
  t.match(broken, { status: 502, problem: { code: 'upstream_error', retryable: true, retryAfterSeconds: 2 } })
  t.match(refused, { status: 502, problem: { code: 'upstream_unauthorized', retryable: false } })
  for (const name of ['etag', 'cache-status', 'server-timing']) t.equal(reply.headers.get(name), null, name)
  t.match([reply.headers.get('age'), reply.headers.get('retry-after')], ['0', '2'])
  t.equal(reply.headers.get('cache-control'), 'no-store')
  const conditional = await get(pathOf([faultIds.broken]), { 'if-none-match': '*' })
  t.equal(conditional.status, 200, 'what has no tag is never unchanged')
  t.equal((await get(pathOf([faultIds.broken]), { 'if-match': '"x"' })).status, 412)
})

t.test('equal batches are equal bytes, with a strong ETag and 304', async (t) => {
  const { get } = await start(t)
  const path = pathOf([one, missing])
  const first = await get(path, { 'x-request-id': 'a' })
  const second = await get(path, { 'x-request-id': 'b' })
  t.equal(first.text, second.text)
  const etag = first.headers.get('etag') ?? ''
  t.match(etag, /^"[\w-]{27}"$/)
  t.equal(second.headers.get('etag'), etag)
  t.equal(first.headers.get('cache-control'), 'private, no-cache')
  const known = await get(path, { 'if-none-match': etag })
  t.match([known.status, known.text, known.headers.get('etag')], [304, '', etag])
  t.equal((await get(path, { 'if-match': '"x"' })).status, 412)
  const head = await get(path, {}, 'HEAD')
  t.match([head.status, head.headers.get('etag'), head.text], [200, etag, ''])
  for (const other of [pathOf([missing, one]), pathOf([one]), pathOf([one, missing], '&view=timeline')])
    t.not((await get(other)).headers.get('etag'), etag)
})

t.test('a large batch is compressed', async (t) => {
  const { get, service } = await start(t)
  const path = pathOf([one, two, three], '&view=transcript')
  const plain = await get(path)
  const etag = plain.headers.get('etag') ?? ''
  for (const coding of ['br', 'gzip']) {
    const { rawPayload, headers } = await service.callers.inject({ url: path, headers: { 'accept-encoding': coding } })
    t.equal(headers['content-encoding'], coding)
    t.equal(headers.etag, `${etag.slice(0, -1)}-${coding}"`)
    t.ok(rawPayload.length < plain.text.length / 2)
    const known = await get(path, { 'accept-encoding': coding, 'if-none-match': String(headers.etag) })
    t.match([known.status, known.headers.get('etag')], [304, headers.etag])
  }
  const small = await service.callers.inject({ url: pathOf([one]), headers: { 'accept-encoding': 'br' } })
  t.equal(small.headers['content-encoding'], undefined)
})

t.test('the headers are those of the oldest and the worst item', async (t) => {
  const { get, clock } = await start(t)
  await get(`/execution-contacts/${two}`)
  clock.advance(2000)
  const headersOf = async (ids: string[], headers: Record<string, string> = {}) => {
    const reply = await get(pathOf(ids), headers)
    return ['age', 'cache-status', 'retry-after'].map((name) => reply.headers.get(name))
  }
  t.strictSame(await headersOf([one, two]), ['2', 'hilos-bff; fwd=uri-miss; stored', '3'])
  t.strictSame(await headersOf([one, two]), ['2', 'hilos-bff; hit', '3'])
  t.strictSame(await headersOf([two]), ['2', 'hilos-bff; hit', null], 'nothing newer is expected of an ended run')
  clock.advance(4000)
  t.strictSame(await headersOf([one, two]), ['6', 'hilos-bff; hit; detail=revalidating', '1'])
  t.strictSame(await headersOf([missing]), ['0', 'hilos-bff; fwd=uri-miss; stored', '10'])
  t.match(await headersOf([two], { 'cache-control': 'no-cache' }), ['0', 'hilos-bff; fwd=request; stored'])
  clock.advance(1000)
  t.match(await headersOf([two], { 'cache-control': 'no-cache' }), ['1', 'hilos-bff; hit; detail=reload-denied'])
})

t.test('only-if-cached says at once what there is', async (t) => {
  const { get, sandbox } = await start(t)
  await get(`/execution-contacts/${one}`)
  const { status, json } = await get(pathOf([one, two]), { 'cache-control': 'only-if-cached' })
  t.equal(status, 200)
  t.match(json().items, [{ status: 200 }, { status: 504, problem: { code: 'not_cached' } }])
  t.equal(sandbox.requests.length, 1)
})

t.test('a request that is wrong fails as a whole', async (t) => {
  const { get } = await start(t, { env: { CALLER_MAX_RPS: '30' } })
  const rows: readonly (readonly [query: string, status: number, code: string, detail: RegExp])[] = [
    ['', 400, 'invalid_query', /./],
    ['?ids=', 400, 'invalid_query', /./],
    [`?ids=${one}&ids=${two}`, 400, 'invalid_query', /./],
    [`?ids=${one}&id=${two}`, 400, 'invalid_query', /./],
    [`?ids=${one}&view=all`, 400, 'invalid_query', /./],
    [`?ids[]=${one}`, 400, 'invalid_query', /./],
    [`?ids=${one},x`, 400, 'invalid_id', /^The id at position 2 of ids is not a UUID/],
    ['?ids=secret', 400, 'invalid_id', /^The id at position 1 [^s]*s is/],
    [`?ids=,${one}`, 400, 'invalid_id', /position 1 /],
    [`?ids=${one},`, 400, 'invalid_id', /position 2 /],
    [`?ids=${one},,${two}`, 400, 'invalid_id', /position 2 /],
    [`?ids=${one}%20,${two}`, 400, 'invalid_id', /position 1 /],
    [`?ids=${[...runs, one].join()}`, 400, 'too_many_ids', /^The request has 26 ids, and 25 are allowed\.$/],
    [`?ids=${','.repeat(100)}`, 400, 'too_many_ids', /has 101 ids/],
  ]
  const table = rows.map((row) => async () => {
    const { status, json, text } = await get(`/execution-contacts${row[0]}`)
    const isTold = row[3].test(json().detail) && !text.includes('secret')
    return difference([status, json().code, isTold], [row[1], row[2], true])
  })
  for (const [index, check] of table.entries()) t.equal(await check(), null, String(rows[index]?.[0]))
  t.equal((await get('/execution-contacts/', {})).status, 400)
  t.equal((await get(pathOf([one]), { accept: 'text/html' })).status, 406)
  const { status, headers } = await get(pathOf([one]), {}, 'POST')
  t.match([status, headers.get('allow')], [405, 'GET, HEAD'])
})

t.test('a batch counts as as many requests as it has ids', async (t) => {
  const { get, clock } = await start(t, { env: { CALLER_MAX_RPS: '30' } })
  const first = await get(pathOf(runs))
  t.match([first.status, first.headers.get('ratelimit')], [200, '"caller";r=5;t=1'])
  const second = await get(pathOf(runs.slice(0, 6)))
  t.match([second.status, second.json().code, second.headers.get('retry-after')], [429, 'caller_rate_limited', '1'])
  t.equal(second.headers.get('ratelimit'), '"caller";r=5;t=1', 'what is refused is not counted')
  t.equal((await get(pathOf(runs.slice(0, 5)))).status, 200)
  t.equal((await get(`/execution-contacts/${one}`)).status, 429)
  clock.advance(1000)
  t.equal((await get(pathOf(runs))).status, 200)
})

t.test('a batch that could never be allowed is refused for its size', async (t) => {
  const { get } = await start(t, { env: { CALLER_MAX_RPS: '3' } })
  const { status, json } = await get(pathOf(runs.slice(0, 4)))
  t.match([status, json().code, json().detail], [400, 'too_many_ids', 'The request has 4 ids, and 3 are allowed.'])
  t.equal((await get(pathOf(runs.slice(0, 2)))).status, 200, 'and counts as one')
})

t.test('rights are those of a single request', async (t) => {
  const [ours, theirs] = [uuid(0xf1, 1), uuid(0xf1, 2)]
  const { get, as, sandbox } = await start(t, {
    callers: [
      { name: 'agent', profile: 'agent' },
      { name: 'limited', profile: 'full', flows: [ours] },
    ],
  })
  sandbox.documents.set(three, () => executionContact(three, { flow: flow({ id: theirs }) }))
  t.equal((await get(pathOf([one]))).status, 401)
  const wider = await get(pathOf([one, two], '&profile=full'), as('agent'))
  t.match([wider.status, wider.json().code], [403, 'forbidden'])
  t.equal(sandbox.requests.length, 0)
  t.equal((await get(pathOf([one]), as('agent'))).json().items[0].data.contact.masked, true)
  const limited = await get(pathOf([one, three, missing]), as('limited'))
  const [visible, hidden, absent] = limited.json().items
  t.equal(visible.status, 200)
  t.strictSame({ ...hidden, id: '' }, { ...absent, id: '' })
  t.equal(limited.headers.get('cache-status'), 'hilos-bff; hit', 'the others say nothing about the cache')
  const nothing = await get(pathOf([three, missing]), as('limited'))
  for (const name of ['cache-status', 'server-timing']) t.equal(nothing.headers.get(name), null)
  t.equal(nothing.headers.get('age'), '0')
})

t.test('the record of disclosure has a line for each item that was shown', async (t) => {
  const { get, logLines } = await start(t)
  const lines = (id: string) => logLines().filter(({ requestId }) => requestId === id)
  const headers = { 'x-request-id': 'shown' }
  const { headers: received } = await get(pathOf([one, two, missing]), headers)
  t.match(lines('shown'), [
    { record: 'disclosure', route: '/execution-contacts', view: 'summary', profile: 'full', status: 200 },
    { record: 'disclosure', status: 200 },
  ])
  t.equal(new Set(lines('shown').map(({ contact }) => contact)).size, 2)
  await get(pathOf([one, two, missing]), { 'x-request-id': 'known', 'if-none-match': received.get('etag') ?? '' })
  t.match(lines('known'), [{ record: 'disclosure', status: 304 }, { record: 'disclosure' }])
  await get(pathOf([missing]), { 'x-request-id': 'none' })
  await until(() => lines('none').length > 0)
  t.match(lines('none'), [{ msg: 'answered', status: 200 }])
  t.equal(lines('none')[0]?.record, undefined)
})

t.test('25 cold contacts are all answered within the deadline of one call, at 5 calls a second', async (t) => {
  const clock = createTimers(Date.parse('2026-11-22T10:05:00Z'))
  const { get, sandbox, service } = await start(t, { clock, env: { HILOS_MAX_RPS: '5' } })
  const startedAt = clock.now()
  let isOver = false
  const replied = get(pathOf(runs)).finally(() => {
    isOver = true
  })
  await until(() => sandbox.requests.length === 5)
  while (!isOver) {
    await clock.advance(50)
    await noCallInFlight(service)
  }
  const { status, json } = await replied
  t.equal(status, 200)
  const statuses = json().items.map((item: { status: number }) => item.status)
  t.strictSame(new Set(statuses), new Set([200]))
  t.ok(clock.now() - startedAt < 8000, `${clock.now() - startedAt} ms`)
})

t.test('what Hilos does not answer in time is an item, and the others are shown', async (t) => {
  const clock = createTimers(Date.parse('2026-11-22T10:05:00Z'))
  const { get, sandbox, store } = await start(t, { clock })
  sandbox.faults.set(two, 'hang')
  let isOver = false
  const replied = get(pathOf([one, two])).finally(() => {
    isOver = true
  })
  await until(() => sandbox.requests.length === 2 && store.peek(one) !== undefined)
  while (!isOver) {
    await clock.advance(1000)
    for (let turn = 0; turn < 5; turn += 1) await settled()
  }
  t.match((await replied).json().items, [{ status: 200 }, { status: 504, problem: { code: 'upstream_timeout' } }])
})

t.test('a fault of ours is an item, and an error in the log', async (t) => {
  const { get, store, logLines } = await start(t)
  await get(pathOf([one, two]))
  const entry = store.peek(one)
  if (!entry?.value) throw new Error('it is not stored')
  store.set(one, {
    ...entry,
    value: { ...entry.value, content: { ...entry.value.content, serialized: Buffer.alloc(0) } },
  })
  const { status, json } = await get(pathOf([one, two], '&profile=agent'), { 'x-request-id': 'fault' })
  t.equal(status, 200)
  t.match(json().items, [{ status: 500, problem: { code: 'internal_error' } }, { status: 200 }])
  const [error] = logLines().filter(({ msg }) => msg === 'item of a batch failed')
  t.match(error, { level: 50, requestId: 'fault', err: { code: 'internal_error', cause: { type: 'SyntaxError' } } })
})

t.test('a failed item is a line of the log and counts as a problem', async (t) => {
  const { get, service, logLines } = await start(t)
  await get(pathOf([one, missing, faultIds.broken, faultIds.reset]), { 'x-request-id': 'r' })
  await get(pathOf([two]), { 'cache-control': 'only-if-cached' })
  const lines = logLines().filter(({ msg }) => msg === 'item of a batch failed')
  t.match(lines, [
    { level: 40, requestId: 'r', err: { code: 'upstream_error' } },
    { level: 40, requestId: 'r', err: { code: 'upstream_unavailable' } },
  ])
  t.equal(lines.length, 2)
  const { body = '' } = (await service.operators?.inject('/metrics')) ?? {}
  for (const code of ['execution_contact_not_found', 'upstream_error', 'upstream_unavailable', 'not_cached'])
    t.match(body, `hilos_bff_problems_total{code="${code}"} 1\n`)
})

t.test('a large batch is sent in parts that all readers share, and a 304 needs none of it', async (t) => {
  const { get, sandbox } = await start(t)
  const steps = Array.from({ length: 100 }, (_, index) => stepExecution(index, { name: 'x'.repeat(4000) }))
  sandbox.documents.set(one, () => executionContact(one, { execution_steps: steps }))
  const path = pathOf([one, one], '&view=timeline')
  const plain = await get(`/execution-contacts/${one}`)
  const { text, headers } = await get(path, { 'accept-encoding': 'br' })
  t.ok(text.length > 2 * plain.text.length)
  t.equal(text.split(`"data":${plain.text}}`).length, 3)
  t.equal(headers.get('content-length'), String(Buffer.byteLength(text)))
  t.equal(headers.get('content-encoding'), null)
  const head = await get(path, {}, 'HEAD')
  t.match([head.headers.get('content-length'), head.text], [headers.get('content-length'), ''])
  const known = await get(path, { 'if-none-match': headers.get('etag') ?? '' })
  t.match([known.status, known.text], [304, ''])
})
