import t, { type Test } from 'tap'
import { documentIds } from '../sandbox/documents.ts'
import { faultIds } from '../sandbox/faults.ts'
import { createSandbox } from '../sandbox/hilos.ts'
import { createClock } from './harness/clock.ts'

const token = 'sandbox-token'

async function start(t: Test) {
  const clock = createClock()
  const sandbox = createSandbox({ token, now: clock.now, slowMs: 1 })
  const base = await sandbox.listen()
  t.teardown(sandbox.close)
  const get = (path: string, headers: Record<string, string> = { authorization: `Token ${token}` }) =>
    fetch(`${base}${path}`, { headers })
  return { clock, sandbox, get }
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
