import t, { type Test } from 'tap'
import { systemClock } from '../../src/common/clock.ts'
import { Secret } from '../../src/common/secret.ts'
import { sharedTierLimits } from '../../src/config/limits.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createSharedTierObserver } from '../../src/telemetry/shared-tier-observer.ts'
import { createAttachment } from '../../src/tier/attachment.ts'
import { createEnvelope } from '../../src/tier/envelope.ts'
import { createEvents } from '../../src/tier/events.ts'
import { createForgetting } from '../../src/tier/forgetting.ts'
import { createNames } from '../../src/tier/names.ts'
import { connectValkey } from '../../src/tier/valkey.ts'
import { poll } from '../harness/process.ts'
import { needsServer, serverAt, startServer } from '../harness/valkey.ts'

const secret = new Secret(Buffer.alloc(32, 7).toString('base64'))
const keys = { names: secret, seal: [{ id: 1, key: secret }] }
const ids = {
  one: '00000000-0000-4000-8000-000000000001',
  two: '00000000-0000-4000-8000-000000000002',
}

/** A replica as far as it forgets. It connects when `mayConnect` lets it. */
function startReplica(t: Test, port: number, replica: string, mayConnect: () => Promise<void> = async () => {}) {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  const observer = createSharedTierObserver(createMetrics().registry, logger)
  const events = createEvents(
    replica,
    createEnvelope(() => keys),
    observer,
  )
  const server = serverAt(port)
  // On a busy machine all may take its time.
  const limits = { ...sharedTierLimits, connectMs: 10_000, hearing: { longestMs: 500, everyMs: 5 } }
  const connect = async () => {
    await mayConnect()
    return await connectValkey({ server, clock: systemClock, limits })
  }
  const common = { events, observer, limits, clock: systemClock }
  const attachment = createAttachment({ ...common, connect, replica, keyPrefix: 'hbff', expectedReplicas: 1 })
  const forgetting = createForgetting({ ...common, server: attachment.server, names: createNames(secret) })
  const forgotten: string[] = []
  const forget = (id: string) => void forgotten.push(id)
  // It forgets all that it has at its first attachment.
  forgetting.listen({ gone: forget, forgotten: forget, cleared: () => void forgotten.splice(0) })
  t.teardown(attachment.close)
  void attachment.start()
  return { attachment, forgetting, forgotten, logged: () => lines.map((line) => JSON.parse(line)) }
}

const code = (forgetting: Promise<void>) =>
  forgetting.then(
    () => 'done',
    (failure) => failure.code,
  )

t.test(
  'each replica has heard what is to be forgotten when it is done, and logs it with its purge',
  needsServer(),
  async (t) => {
    const { port } = await startServer(t)
    const [asked, ...others] = ['a', 'b', 'c'].map((name) => startReplica(t, port, name)) as [Started, Started, Started]
    await poll(() => [asked, ...others].every(({ attachment }) => attachment.server.replicas() === 3))
    t.equal(await code(asked.forgetting.forget(ids.one, 'purge-1')), 'done')
    for (const { forgotten, logged } of others) {
      t.strictSame(forgotten, [ids.one])
      t.match(logged().at(-1), { msg: 'another replica has removed a contact from the cache', purge: 'purge-1' })
      t.notMatch(JSON.stringify(logged()), ids.one)
    }
  },
)

type Started = ReturnType<typeof startReplica>

t.test(
  'what is forgotten after the server has lost its memory reaches those who come back later',
  needsServer(),
  async (t) => {
    const server = await startServer(t)
    let gate = Promise.resolve()
    const first = startReplica(t, server.port, 'first')
    const late = startReplica(t, server.port, 'late', () => gate)
    await poll(() => [first, late].every(({ attachment }) => attachment.server.replicas() === 2))
    const { promise, resolve } = Promise.withResolvers<void>()
    gate = promise
    await server.kill()
    await poll(() => !first.attachment.status().ok && !late.attachment.status().ok)
    t.equal(await code(first.forgetting.forget(ids.one, 'purge-1')), 'shared_tier_unavailable', 'there is no server')
    await server.restart()
    await poll(() => first.attachment.status().ok)
    t.equal(
      await code(first.forgetting.forget(ids.two, 'purge-2')),
      'shared_tier_unavailable',
      'the other one is missing',
    )
    resolve()
    await poll(() => late.attachment.status().ok)
    t.strictSame(late.forgotten, [ids.one, ids.two], 'it has heard all when it is attached')
    const purges = late.logged().flatMap(({ purge }) => purge ?? [])
    t.strictSame(purges, ['purge-1', 'purge-2'], 'it logs what could not be told at first under the same purge')
    t.equal(await code(first.forgetting.forget(ids.two, 'purge-3')), 'done')
  },
)
