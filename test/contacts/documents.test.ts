import t, { type Test } from 'tap'
import { createDocuments as createSandboxDocuments, documentIds } from '../../sandbox/documents.ts'
import { profiles } from '../../src/access/profile.ts'
import { Secret } from '../../src/common/secret.ts'
import { createDocuments } from '../../src/contacts/documents.ts'
import { views } from '../../src/presentation/views/view.ts'
import { UpstreamFailure } from '../../src/upstream/failures.ts'
import { createTimers } from '../harness/timers.ts'
import { noIdentity } from '../presentation/pipeline.ts'
import { failureOf } from '../upstream/raw-hilos.ts'

const id = documentIds.deliveryConfirmation
const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const ordinary = json(createSandboxDocuments(Date.now()).get(id)?.(0))

const unread = (bytes: Buffer, tokens: readonly Secret[] = []) => ({ bytes, id, tokens })
const leftMs = 5000

/** The work on documents, of which those with more bytes or elements are large. */
function arrange(t: Test, bytes: number, elements = 100) {
  const timers = createTimers()
  const documents = createDocuments({
    ...{ refKey: new Secret('ref'), idKey: new Secret('ids'), metaKeys: ['tier'], maxElements: 100 },
    ...{ largestOnLoop: { bytes, elements }, timeoutMs: 8000, threadIdleMs: 60_000, clock: timers },
  })
  t.teardown(documents.close)
  const present = (...given: Parameters<typeof unread>) => documents.present(unread(...given), leftMs)
  return { ...documents, present, timers }
}

/** The result, and whether it came from the thread. */
async function resultOf<T>(result: T | Promise<T>): Promise<readonly [T, boolean]> {
  return [await result, result instanceof Promise]
}

t.test('a large document gives the same in the thread as on the event loop', async (t) => {
  const [onLoop, inThread] = [arrange(t, Number.POSITIVE_INFINITY), arrange(t, 0)]
  const [presented, isInThread] = await resultOf(inThread.present(ordinary))
  t.strictSame([presented, isInThread], [await onLoop.present(ordinary), true])
  t.ok(Buffer.isBuffer(presented.content.serialized))
  for (const view of views)
    for (const profile of profiles) {
      const [rendered, isInThread] = await resultOf(inThread.render(presented.content, view, profile))
      t.strictSame([rendered, isInThread], [await onLoop.render(presented.content, view, profile), true])
      t.equal(rendered.body === presented.content.serialized, view === 'transcript' && profile === 'full')
    }
})

t.test('a document is large when it has more bytes or elements than the event loop takes', async (t) => {
  const { present } = arrange(t, ordinary.length)
  const [{ content }, ofThread] = await resultOf(present(ordinary))
  t.notOk(ofThread)
  t.ok((await resultOf(present(Buffer.concat([ordinary, Buffer.from(' ')]))))[1])
  const { length } = content.serialized
  t.notOk((await resultOf(arrange(t, length).render(content, 'summary', 'full')))[1])
  t.ok((await resultOf(arrange(t, length - 1).render(content, 'summary', 'full')))[1])
  const steps = (count: number) => json({ execution_steps: Array(count).fill({}) })
  const few = arrange(t, 10_000, 50)
  t.notOk((await resultOf(few.present(steps(50))))[1])
  t.ok((await resultOf(few.present(steps(51))))[1])
})

t.test('a failure in the thread is that of the event loop, and the thread goes on', async (t) => {
  const [onLoop, inThread] = [arrange(t, Number.POSITIVE_INFINITY), arrange(t, 0)]
  const tokens = [new Secret('our own token'), new Secret('another one')]
  for (const bytes of [
    Buffer.from('<html>'),
    json({}),
    json({ contact: {}, id: 'x' }),
    json({ execution_steps: Array(101).fill({}) }),
    json({ contact: { email: 'our own token' } }),
  ]) {
    const failures = [onLoop, inThread].map(({ present }) =>
      failureOf(Promise.resolve().then(() => present(bytes, tokens))),
    )
    const [wanted, found] = await Promise.all(failures)
    t.strictSame([found?.constructor, found?.code, found?.facts], [wanted?.constructor, wanted?.code, wanted?.facts])
  }
  const broken = { serialized: Buffer.from('{"canary'), identity: noIdentity }
  await t.rejects(Promise.resolve(inThread.render(broken, 'summary', 'agent')), SyntaxError)
  t.ok(await inThread.present(ordinary))
})

t.test('work in the thread has a time, and the work behind it gets another thread', async (t) => {
  const { present, render, timers } = arrange(t, 0)
  const { content } = await present(ordinary)
  const slow = Buffer.from(`{"contact":{},"x":${'['.repeat(2_000_000)}${']'.repeat(2_000_000)}}`)
  const late = failureOf(Promise.resolve(present(slow)))
  const lateRendering = failureOf(Promise.resolve(render(content, 'summary', 'agent')))
  t.strictSame(timers.armed(), [leftMs, 8000])
  const passed = timers.advance(8000)
  const failures = await Promise.all([late, lateRendering])
  await passed
  t.strictSame(
    failures.map(({ code, facts }) => [code, facts.reason]),
    [
      ['upstream_timeout', 'while the document was read'],
      ['overloaded', 'while a large contact was rendered'],
    ],
  )
  t.ok(failures[0] instanceof UpstreamFailure, 'a stale contact may be served instead')
  t.ok(await present(ordinary))
})

t.test('a document whose thread ends is too large', async (t) => {
  const { present, close } = arrange(t, 0)
  const presented = failureOf(Promise.resolve(present(ordinary)))
  close()
  const { code, facts } = await presented
  t.strictSame([code, facts], ['upstream_too_large', { reason: 'the thread ended' }])
})
