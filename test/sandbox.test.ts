import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { faultIds } from '../sandbox/faults.ts'
import { createSandbox } from '../sandbox/hilos.ts'
import { scenarios } from '../sandbox/scenario.ts'
import { createClock } from './harness/clock.ts'
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
  return { ...sandbox, clock, get, getContact, scenario, authorization }
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

t.test('the live run takes its steps as time passes, waits for answers and ends', async (t) => {
  const { getContact, clock } = await arrange(t)
  const table = [
    [0, 'RUNNING', 1, 0],
    [14_999, 'RUNNING', 1, 0],
    [1, 'RUNNING', 2, 1],
    [15_000, 'RUNNING', 3, 2],
    [15_000, 'RUNNING', 4, 3],
    [14_999, 'RUNNING', 4, 3],
    [1, 'COMPLETED', 4, 4],
    [3_600_000, 'COMPLETED', 4, 4],
  ] as const
  for (const [ms, ...expected] of table) {
    clock.advance(ms)
    const reply = await getContact(documentIds.live)
    const document = (await reply.json()) as { status: string; execution_steps: { status: string }[] }
    const { status, execution_steps: steps } = document
    t.strictSame([status, steps.length, steps.filter((step) => step.status === 'COMPLETED').length], expected)
  }
})

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
