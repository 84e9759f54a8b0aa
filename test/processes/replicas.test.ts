import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { faultIds } from '../../sandbox/faults.ts'
import { executionContact, type Part, uuid } from '../../sandbox/parts.ts'
import { openEvents } from '../harness/event-source.ts'
import { poll } from '../harness/process.ts'
import { type ReplicaReply, type Replicas, type ReplicasOptions, startReplicas } from '../harness/replicas.ts'
import { needsServer, startServer } from '../harness/valkey.ts'

const id = uuid(0x5e, 1)
const pathOf = (id: string) => `/execution-contacts/${id}`
const path = pathOf(id)
const noCache = { 'cache-control': 'no-cache' }

/** Three replicas, and a document that tests change. */
async function arrange(t: Test, options: ReplicasOptions = {}, serverArgs: readonly string[] = []) {
  const server = await startServer(t, serverArgs)
  const started = await startReplicas(t, server, options)
  let fields: Part = { status: 'RUNNING' }
  let answering = Promise.resolve()
  started.sandbox.documents.set(id, async () => {
    const document = executionContact(id, fields)
    await answering
    return document
  })
  return {
    ...started,
    server,
    change: (next: Part) => {
      fields = next
    },
    /** Holds the answers of Hilos, as they would be now, until the returned function is called. */
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      answering = promise
      return resolve
    },
  }
}

const everywhere = ({ replicas }: Pick<Replicas, 'replicas'>, asked = path, headers = {}) =>
  Promise.all(replicas.map(({ get }) => get(asked, headers)))
const statusesOf = (replies: readonly ReplicaReply[]) => replies.map(({ status }) => status)
const runStatusOf = ({ text }: ReplicaReply) => JSON.parse(text).status

t.test('many callers of one cold contact on all replicas need one call', needsServer(), async (t) => {
  const { replicas, calls } = await arrange(t)
  const asked = replicas.flatMap(({ get }) => Array.from({ length: 50 }, () => get(path)))
  const replies = await Promise.all(asked)
  t.ok(replies.every(({ status, text }) => status === 200 && text === replies[0]?.text))
  t.equal(calls(), 1)
})

t.test('a new replica knows what the others know', needsServer(), async (t) => {
  const { replicas, add, calls } = await arrange(t, { count: 1 })
  await replicas[0]?.get(path)
  const late = await add()
  t.equal((await late.get(path)).cache, 'hit; detail=shared')
  t.equal((await late.get(path)).cache, 'hit')
  t.equal(calls(), 1)
})

t.test('what one replica has loaded anew, all others have', needsServer(), async (t) => {
  const running = await arrange(t)
  const { replicas, change, calls } = running
  await everywhere(running)
  change({ status: 'COMPLETED' })
  const reply = await replicas[1]?.get(path, noCache)
  t.equal(reply?.cache, 'fwd=request; stored')
  await poll(async () => (await everywhere(running)).every((reply) => runStatusOf(reply) === 'COMPLETED'))
  t.equal(calls(), 2)
})

t.test('a deletion reaches all replicas before it is answered', needsServer(), async (t) => {
  const running = await arrange(t)
  const { replicas, change, calls } = running
  for (let round = 0; round < 10; round += 1) {
    const status = round % 2 === 0 ? 'PAUSED' : 'COMPLETED'
    await everywhere(running)
    const before = calls()
    change({ status })
    const asked = replicas[round % 3]
    t.equal((await asked?.get(`/cache${path}`, {}, 'DELETE'))?.status, 204)
    const replies = await everywhere(running)
    t.ok(replies.every((reply) => runStatusOf(reply) === status))
    t.equal(calls(), before + 1)
  }
  t.equal((await replicas[0]?.get('/cache', {}, 'DELETE'))?.status, 204)
  const before = calls()
  await everywhere(running)
  t.equal(calls(), before + 1)
})

t.test('one deletion is found in the logs of all replicas', needsServer(), async (t) => {
  const { replicas } = await arrange(t)
  await replicas[0]?.get(`/cache${path}`, {}, 'DELETE')
  const lines = replicas.map(({ logLines }) => logLines().filter(({ purge }) => purge))
  t.strictSame(
    lines.map((found) => found.map(({ msg }) => msg)),
    [
      ['an operator has removed a contact from the cache'],
      ['another replica has removed a contact from the cache'],
      ['another replica has removed a contact from the cache'],
    ],
  )
  t.equal(new Set(lines.flat().map(({ purge }) => purge)).size, 1)
  t.notMatch(JSON.stringify(lines), id)
})

t.test('a load that was under way at a deletion brings nothing back', needsServer(), async (t) => {
  const running = await arrange(t)
  const { replicas, change, hold, calls } = running
  const release = hold()
  const waiting = [replicas[0]?.get(path), replicas[1]?.get(path)]
  await poll(async () => calls() === 1)
  change({ status: 'COMPLETED' })
  t.equal((await replicas[2]?.get(`/cache${path}`, {}, 'DELETE'))?.status, 204)
  release()
  const served = await Promise.all(waiting)
  t.ok(
    served.every((reply) => reply?.status === 200),
    'those who waited are answered',
  )
  const replies = await everywhere(running)
  t.ok(replies.every((reply) => runStatusOf(reply) === 'COMPLETED'))
})

t.test('a contact that does not exist any more is absent everywhere', needsServer(), async (t) => {
  const running = await arrange(t)
  const { replicas, sandbox, calls } = running
  await everywhere(running)
  sandbox.documents.delete(id)
  t.equal((await replicas[0]?.get(path, noCache))?.status, 404)
  await poll(async () => statusesOf(await everywhere(running)).join() === '404,404,404')
  t.equal(calls(), 2)
})

t.test('a failure of Hilos is met once', needsServer(), async (t) => {
  const running = await arrange(t)
  const broken = pathOf(faultIds.broken)
  t.strictSame(statusesOf(await everywhere(running, broken)), [502, 502, 502])
  t.equal(running.calls(), 1)
})

t.test(
  'callers limited to flows share loads among themselves, and learn nothing of others',
  needsServer(),
  async (t) => {
    const theirs = uuid(0xf1, 2)
    const callers = [
      { name: 'all', profile: 'full' },
      { name: 'ours', profile: 'full', flows: [uuid(0xf1, 1)] },
      { name: 'theirs', profile: 'full', flows: [theirs] },
    ] as const
    const running = await arrange(t, { callers })
    const { replicas, as, calls } = running
    const absent = pathOf(uuid(0x5e, 2))
    for (const asked of [path, absent]) {
      const before = calls()
      t.strictSame(statusesOf(await everywhere(running, asked, as('theirs'))), [404, 404, 404])
      t.strictSame(statusesOf(await everywhere(running, asked, as('theirs'))), [404, 404, 404])
      t.equal(calls(), before + 1, 'one call, whether it exists or not')
    }
    t.equal(
      (await replicas[1]?.get(path, as('ours')))?.cache,
      'fwd=uri-miss; stored',
      'a foreign contact was not stored',
    )
    const before = calls()
    t.equal((await replicas[2]?.get(path, as('ours')))?.cache, 'hit; detail=shared')
    t.equal((await replicas[0]?.get(path, as('all')))?.cache, 'hit; detail=shared')
    t.strictSame(statusesOf(await everywhere(running, path, as('theirs'))), [404, 404, 404])
    t.equal(calls(), before)
  },
)

t.test('a change that one replica sees reaches the watchers of all', needsServer(), async (t) => {
  const { replicas, change } = await arrange(t)
  const streams = await Promise.all(replicas.map(({ origin }) => openEvents(`${origin}${path}/events`)))
  t.teardown(() => {
    for (const stream of streams) stream.leave()
  })
  await Promise.all(streams.map((stream) => stream.nth('state', 1)))
  change({ status: 'PAUSED' })
  await replicas[2]?.get(path, noCache)
  const states = await Promise.all(streams.map((stream) => stream.nth('state', 2)))
  t.strictSame(
    states.map(({ json }) => json.status),
    ['PAUSED', 'PAUSED', 'PAUSED'],
  )
})

t.test('a replica takes over the load of one that has died', needsServer(), async (t) => {
  const { replicas, server, hold, calls } = await arrange(t)
  const release = hold()
  const lost = replicas[0]?.get(path).catch(() => null)
  await poll(async () => calls() === 1)
  // It can neither renew its lease nor store what it loads.
  const clients = String(await server.ask('CLIENT', 'LIST')).split('\n')
  t.ok(clients.length > 6)
  release()
  await lost
  t.equal((await replicas[1]?.get(path))?.status, 200)
})

t.test('the server holds nothing that tells of a contact', needsServer(), async (t) => {
  const running = await arrange(t)
  const { server, replicas } = running
  const seen: string[] = []
  await everywhere(running, pathOf(documentIds.everyMessageType))
  await everywhere(running)
  await replicas[0]?.get(`/cache${path}`, {}, 'DELETE')
  await everywhere(running, pathOf(faultIds.broken))
  const keys = (await server.ask('KEYS', '*')) as string[]
  for (const key of keys) seen.push(key, String(await server.ask('DUMP', key)))
  seen.push(JSON.stringify(await server.ask('XRANGE', '{hbff}:ev', '-', '+')))
  for (const secret of [id, documentIds.everyMessageType, '5512345', 'COMPLETED', 'Ana'])
    t.notOk(seen.join('\n').includes(secret), secret)
  t.ok(keys.length > 4)
})
