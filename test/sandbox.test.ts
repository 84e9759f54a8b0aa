import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { faultIds } from '../sandbox/faults.ts'
import { createSandbox } from '../sandbox/hilos.ts'
import { weathers } from '../sandbox/scenario.ts'
import { createClock } from './harness/clock.ts'

const token = 'sandbox-token'

async function start(t: Test, slowMs = 1) {
  const clock = createClock()
  const sandbox = createSandbox({ token, now: clock.now, slowMs })
  const base = await sandbox.listen()
  t.teardown(sandbox.close)
  const get = (path: string, headers: Record<string, string> = { authorization: `Token ${token}` }) =>
    fetch(`${base}${path}`, { headers })
  const weather = (path = '', method = 'GET') => fetch(new URL(`/weather${path}`, base), { method })
  return { clock, sandbox, get, weather }
}

t.test('the sandbox, when asked without its token, refuses as Django REST Framework does', async (t) => {
  const { get } = await start(t)
  const table = [
    [{}, /not provided/],
    [{ authorization: `Bearer ${token}` }, /not provided/],
    [{ authorization: 'Token wrong' }, /Invalid token/],
  ] as const
  for (const [headers, detail] of table) {
    const reply = await get(`/flow-execution-contact/${documentIds.ready}`, headers)
    t.equal(reply.status, 401)
    t.equal(reply.headers.get('www-authenticate'), 'Token')
    t.match(await reply.json(), { detail })
  }
})

t.test('the sandbox, when it has no such object or no such route, says so in JSON or in HTML', async (t) => {
  const { get } = await start(t)
  const object = await get('/flow-execution-contact/00000000-0000-4000-8000-00000000dead')
  t.equal(object.status, 404)
  t.match(object.headers.get('content-type'), /^application\/json/)
  for (const path of ['/flow-execution-contacts/x', `/flow-execution-contact/${documentIds.ready}/`]) {
    const route = await get(path)
    t.equal(route.status, 404)
    t.match(route.headers.get('content-type'), /^text\/html/)
  }
})

t.test('the sandbox, when asked for a document, sends a large one, packed only if that is accepted', async (t) => {
  const { get } = await start(t)
  for (const encoding of ['gzip', 'identity']) {
    const reply = await get(`/flow-execution-contact/${documentIds.deliveryConfirmation.toUpperCase()}`, {
      authorization: `Token ${token}`,
      'accept-encoding': encoding,
    })
    t.equal(reply.headers.get('content-encoding'), encoding === 'gzip' ? 'gzip' : null)
    const text = await reply.text()
    t.ok(text.length > 50_000, `${text.length} characters`)
    t.equal(JSON.parse(text).id, documentIds.deliveryConfirmation)
  }
})

t.test('the live run, as time goes by, takes its steps, waits for answers and ends', async (t) => {
  const { get, clock } = await start(t)
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
  for (const [ms, status, steps, completed] of table) {
    clock.advance(ms)
    const reply = await get(`/flow-execution-contact/${documentIds.live}`)
    const document = (await reply.json()) as { status: string; execution_steps: { status: string }[] }
    t.equal(document.status, status)
    t.equal(document.execution_steps.length, steps)
    t.equal(document.execution_steps.filter((step) => step.status === 'COMPLETED').length, completed)
  }
})

t.test('the slow contact, when waited for, answers in the end', async (t) => {
  const { get } = await start(t)
  const reply = await get(`/flow-execution-contact/${faultIds.slow}`)
  t.equal(reply.status, 200)
  t.match(await reply.json(), { id: faultIds.slow })
})

const readyPath = `/flow-execution-contact/${documentIds.ready}`

t.test('the weather, at first, is fine; when set, in whichever way, it is what was set', async (t) => {
  const { sandbox, weather } = await start(t)
  const now = async () => (await weather()).text()
  t.equal(await now(), 'fine')
  for (const name of weathers) {
    const reply = await weather(`/${name}`, 'PUT')
    t.equal(reply.status, 204)
    t.equal(await reply.text(), '')
    t.equal(await now(), name)
  }
  sandbox.setWeather('slow')
  t.equal(await now(), 'slow')
})

t.test('the weather, when set to what there is not, stays as it is and says what there is', async (t) => {
  const { sandbox, weather } = await start(t)
  sandbox.setWeather('limited')
  for (const name of ['foggy', 'Fine', 'toString', '']) {
    const reply = await weather(`/${name}`, 'PUT')
    t.equal(reply.status, 404, name)
    if (name !== '') t.match(await reply.json(), { detail: 'There is fine, slow, limited, wrong, away.' })
  }
  t.equal(await (await weather()).text(), 'limited')
})

t.test('limited weather, over every document, known or not, is a 429 that asks for five seconds', async (t) => {
  const { sandbox, get } = await start(t)
  sandbox.setWeather('limited')
  for (const path of [readyPath, '/flow-execution-contact/00000000-0000-4000-8000-00000000dead', readyPath]) {
    const reply = await get(path)
    t.equal(reply.status, 429)
    t.equal(reply.headers.get('retry-after'), '5')
  }
})

t.test('wrong weather, is invalid JSON, HTML and a 500 in turn, and begins anew when set anew', async (t) => {
  const { sandbox, get } = await start(t)
  const kinds = async (count: number) => {
    const seen: string[] = []
    while (seen.length < count) {
      const reply = await get(readyPath)
      seen.push(`${reply.status} ${reply.headers.get('content-type')?.split(';')[0]}`)
      const body = await reply.text()
      if (seen.at(-1) === '200 application/json') t.throws(() => JSON.parse(body))
    }
    return seen
  }
  const round = ['200 application/json', '200 text/html', '500 application/json']
  for (const count of [7, 3]) {
    sandbox.setWeather('wrong')
    t.strictSame(await kinds(count), [...round, ...round, ...round].slice(0, count))
  }
})

t.test('weather of being away, while it lasts, resets every connection, and then is over', async (t) => {
  const { sandbox, get, weather } = await start(t)
  sandbox.setWeather('away')
  for (let times = 0; times < 3; times += 1)
    await t.rejects(get(readyPath), { cause: { code: /^(ECONNRESET|UND_ERR_SOCKET)$/ } })
  t.equal((await weather('/fine', 'PUT')).status, 204, 'what sets the weather stays')
  t.match(await (await get(readyPath)).json(), { id: documentIds.ready })
})

t.test('slow weather, holds up every answer for as long as it was told to', async (t) => {
  const { sandbox, get } = await start(t, 50)
  sandbox.setWeather('slow')
  const begin = performance.now()
  const [reply] = await Promise.all([get(readyPath), get(readyPath)])
  t.ok(performance.now() - begin >= 49)
  t.match(await reply.json(), { id: documentIds.ready })
})

t.test('the sandbox, when closed in slow weather, waits for nobody', async (t) => {
  const { sandbox, get } = await start(t, 3_600_000)
  sandbox.setWeather('slow')
  const waiting = get(readyPath).then(
    ({ status }) => status,
    () => 'cut',
  )
  while (sandbox.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await sandbox.close()
  t.not(await waiting, 200)
})

t.test('a fault by its id, and a refusal, whatever the weather, go first', async (t) => {
  const { sandbox, get } = await start(t)
  for (const name of weathers) {
    sandbox.setWeather(name)
    t.equal((await get(`/flow-execution-contact/${faultIds.outOfService}`)).status, 503, name)
    t.equal((await get(readyPath, {})).status, 401, name)
  }
})
