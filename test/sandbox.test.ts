import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { faultIds } from '../sandbox/faults.ts'
import { createSandbox } from '../sandbox/hilos.ts'
import type { Part } from '../sandbox/parts.ts'
import { scenarios } from '../sandbox/scenario.ts'
import { createClock } from './harness/clock.ts'
import { startService, until as untilRefreshed } from './harness/service.ts'
import { until } from './upstream/raw-hilos.ts'

const token = 'sandbox-token'
const absentId = '00000000-0000-4000-8000-00000000dead'

async function arrange(t: Test, slowMs = 1) {
  const clock = createClock()
  const sandbox = createSandbox({ token, now: clock.now, slowMs })
  const base = await sandbox.listen()
  t.teardown(sandbox.close)
  const authorization = `Token ${token}`
  const get = (path: string, headers: Record<string, string> = { authorization }) =>
    fetch(`${base}/${path}`, { headers })
  const getContact = (id: string, headers?: Record<string, string>) => get(`flow-execution-contact/${id}`, headers)
  const scenario = (name = '', method = 'GET') => fetch(new URL(`/scenario${name}`, base), { method })
  return { ...sandbox, base, clock, get, getContact, scenario, authorization }
}

t.test('a missing or wrong token is refused as by Django REST Framework', async (t) => {
  const { getContact } = await arrange(t)
  for (const [headers, detail] of [
    [{}, /not provided/],
    [{ authorization: `Bearer ${token}` }, /not provided/],
    [{ authorization: 'Token wrong' }, /Invalid token/],
  ] as const) {
    const reply = await getContact(documentIds.ready, headers)
    t.equal(reply.status, 401)
    t.equal(reply.headers.get('www-authenticate'), 'Token')
    t.match(await reply.json(), { detail })
  }
})

t.test('an unknown contact is a 404 in JSON, an unknown path one in HTML', async (t) => {
  const { get } = await arrange(t)
  for (const [path, type] of [
    [`flow-execution-contact/${absentId}`, /^application\/json/],
    ['flow-execution-contacts/x', /^text\/html/],
    [`flow-execution-contact/${documentIds.ready}/`, /^text\/html/],
  ] as const) {
    const reply = await get(path)
    t.equal(reply.status, 404)
    t.match(reply.headers.get('content-type'), type)
  }
})

t.test('a large document is sent with gzip only if that is accepted', async (t) => {
  const { getContact, authorization } = await arrange(t)
  for (const encoding of ['gzip', 'identity']) {
    const headers = { authorization, 'accept-encoding': encoding }
    const reply = await getContact(documentIds.deliveryConfirmation.toUpperCase(), headers)
    t.equal(reply.headers.get('content-encoding'), encoding === 'gzip' ? 'gzip' : null)
    const text = await reply.text()
    t.ok(text.length > 50_000, `${text.length} characters`)
    t.equal(JSON.parse(text).id, documentIds.deliveryConfirmation)
  }
})

t.test('the live run takes its steps as time passes, waits for answers, ends, rests and begins anew', async (t) => {
  const { getContact, clock } = await arrange(t)
  const table = [
    [0, 'RUNNING', 1, 0],
    [14_999, 'RUNNING', 1, 0],
    [1, 'RUNNING', 2, 1],
    [15_000, 'RUNNING', 3, 2],
    [15_000, 'RUNNING', 4, 3],
    [14_999, 'RUNNING', 4, 3],
    [1, 'COMPLETED', 4, 4],
    [24_999, 'COMPLETED', 4, 4],
    [1, 'RUNNING', 1, 0],
    [45_000, 'RUNNING', 4, 3],
    [39_999, 'COMPLETED', 4, 4],
    [1, 'RUNNING', 1, 0],
  ] as const
  for (const [ms, ...expected] of table) {
    clock.advance(ms)
    const reply = await getContact(documentIds.live)
    const document = (await reply.json()) as { status: string; execution_steps: { status: string }[] }
    const { status, execution_steps: steps } = document
    t.strictSame([status, steps.length, steps.filter((step) => step.status === 'COMPLETED').length], expected)
  }
})

t.test(
  'a live run that begins anew is another one: its ids and times are new, its definitions are the same',
  async (t) => {
    const { getContact, clock } = await arrange(t)
    const runs: Part[] = []
    for (let round = 0; round < 3; round += 1) {
      clock.advance(59_000)
      runs.push((await (await getContact(documentIds.live)).json()) as Part)
      clock.advance(26_000)
    }
    const values = (pick: (run: Part) => unknown) => new Set(runs.map((run) => JSON.stringify(pick(run)))).size
    const steps = ({ execution_steps: steps }: Part) =>
      steps as (Part & { step: Part; messages: { message: Part }[] })[]
    const picked = [
      values(({ id }) => id),
      values((run) => steps(run).map(({ step }) => step.id)),
      values(({ created_on: at }) => at),
      values(({ flow_execution: execution }) => execution),
    ]
    t.strictSame(picked, [1, 1, 3, 3])
    const ids = runs.flatMap((run) =>
      steps(run).flatMap(({ id, messages }) => [id, ...messages.map(({ message }) => message.id)]),
    )
    t.equal(new Set(ids).size, ids.length, 'no step and no message occurs twice')
    t.equal(Date.parse(String(runs[2]?.created_on)) - Date.parse(String(runs[0]?.created_on)), 170_000)
  },
)

t.test(
  'a caller that polls the live run through the service sees each run end, and the next one from its first steps',
  async (t) => {
    for (const random of [0, 0.5, 0.999]) {
      const { get, clock, store } = await startService(t, { clock: createClock(undefined, { random: () => random }) })
      const seen: { readonly status: string; readonly startedAt: string; readonly steps: object[] }[] = []
      for (let polls = 0; polls < 112; polls += 1) {
        const { headers, json } = await get(`/execution-contacts/${documentIds.live}`)
        seen.push(json())
        if (headers.get('cache-status')?.includes('revalidating'))
          await untilRefreshed(() => store.peek(documentIds.live)?.generatedAt === clock.now())
        clock.advance(3000)
      }
      const runs = [...Map.groupBy(seen, ({ startedAt }) => startedAt).values()]
      t.equal(runs.length, 4)
      for (const run of runs) {
        t.ok((run[0]?.steps.length ?? 9) <= 2, `the first of it that is seen is step ${run[0]?.steps.length}`)
        const isLast = run === runs.at(-1)
        if (!isLast) t.equal(run.at(-1)?.status, 'COMPLETED')
      }
    }
  },
)

t.test(
  'the front page lists every document, fault and scenario with a sentence, and each of them exists',
  async (t) => {
    const { base, getContact, scenario } = await arrange(t)
    const get = (accept?: string) => fetch(new URL('/', base), { headers: accept === undefined ? {} : { accept } })
    const json = await get('application/json')
    const contents = (await json.json()) as Record<string, { name: string; id?: string; text: string }[]>
    const { documents = [], faults = [], scenarios: listed = [] } = contents
    const idsOf = (rows: typeof documents) => Object.fromEntries(rows.map(({ name, id }) => [name, id]))
    t.strictSame([idsOf(documents), idsOf(faults)], [documentIds, faultIds])
    t.strictSame(
      listed.map(({ name }) => name),
      scenarios,
    )
    for (const accept of [undefined, '*/*', 'text/html', 'text/plain']) {
      const page = await get(accept)
      t.match(page.headers.get('content-type'), /^text\/plain/)
      t.equal(page.headers.get('vary'), 'Accept')
      const text = await page.text()
      for (const row of [...documents, ...faults]) t.ok(text.includes(`  ${row.id}  ${row.text}.\n`), row.name)
      for (const row of listed) t.match(text, new RegExp(`^ {2}${row.name} +${row.text}\\.$`, 'm'))
    }
    for (const { id = '' } of documents) t.match(await (await getContact(id)).json(), { id })
    for (const { name } of listed) t.equal((await scenario(`/${name}`, 'PUT')).status, 204)
  },
)

t.test('the slow contact is sent in the end', async (t) => {
  const { getContact } = await arrange(t)
  const reply = await getContact(faultIds.slow)
  t.equal(reply.status, 200)
  t.match(await reply.json(), { id: faultIds.slow })
})

t.test('the scenario is healthy at first, and can be set by a request or by a call, to a known one only', async (t) => {
  const { setScenario, scenario } = await arrange(t)
  const now = async () => (await scenario()).text()
  t.equal(await now(), 'healthy')
  for (const name of scenarios) {
    const reply = await scenario(`/${name}`, 'PUT')
    t.equal(reply.status, 204)
    t.equal(await reply.text(), '')
    t.equal(await now(), name)
  }
  setScenario('slow')
  for (const name of ['foggy', 'Healthy', 'toString', '']) {
    const reply = await scenario(`/${name}`, 'PUT')
    t.equal(reply.status, 404, name)
    const detail = 'The scenarios are healthy, slow, rate-limited, malformed, down.'
    if (name !== '') t.match(await reply.json(), { detail })
  }
  t.equal(await now(), 'slow')
})

t.test('rate-limited: a 429 for every contact, known or not, that asks for five seconds', async (t) => {
  const { setScenario, getContact } = await arrange(t)
  setScenario('rate-limited')
  for (const id of [documentIds.ready, absentId, documentIds.ready]) {
    const reply = await getContact(id)
    t.equal(reply.status, 429)
    t.equal(reply.headers.get('retry-after'), '5')
  }
})

t.test('malformed: invalid JSON, HTML and a 500 in turn, from the start each time it is set', async (t) => {
  const { setScenario, getContact } = await arrange(t)
  const round = ['200 application/json', '200 text/html', '500 application/json']
  for (const count of [7, 3]) {
    setScenario('malformed')
    for (let index = 0; index < count; index += 1) {
      const reply = await getContact(documentIds.ready)
      const kind = `${reply.status} ${reply.headers.get('content-type')?.split(';')[0]}`
      t.equal(kind, round[index % 3])
      const body = await reply.text()
      if (kind === round[0]) t.throws(() => JSON.parse(body))
    }
  }
})

t.test('down: every connection is reset, except for requests that set the scenario', async (t) => {
  const { setScenario, getContact, scenario } = await arrange(t)
  setScenario('down')
  for (let times = 0; times < 3; times += 1)
    await t.rejects(getContact(documentIds.ready), { cause: { code: /^(ECONNRESET|UND_ERR_SOCKET)$/ } })
  t.equal((await scenario('/healthy', 'PUT')).status, 204)
  t.match(await (await getContact(documentIds.ready)).json(), { id: documentIds.ready })
})

t.test('slow: every response is delayed as long as set, and not at all when the sandbox closes', async (t) => {
  const { setScenario, getContact } = await arrange(t, 50)
  setScenario('slow')
  const begin = performance.now()
  const [reply] = await Promise.all([getContact(documentIds.ready), getContact(documentIds.ready)])
  t.ok(performance.now() - begin >= 49)
  t.match(await reply.json(), { id: documentIds.ready })

  const closing = await arrange(t, 3_600_000)
  closing.setScenario('slow')
  const waiting = closing.getContact(documentIds.ready).then(
    ({ status }) => status,
    () => 'cut off',
  )
  await until(() => closing.requests.length > 0)
  await closing.close()
  t.not(await waiting, 200)
})

t.test('refusals and faults by id come before the scenario', async (t) => {
  const { setScenario, getContact } = await arrange(t)
  for (const name of scenarios) {
    setScenario(name)
    t.equal((await getContact(faultIds.outOfService)).status, 503, name)
    t.equal((await getContact(documentIds.ready, {})).status, 401, name)
  }
})
