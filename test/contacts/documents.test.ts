import t, { type Test } from 'tap'
import { createDocuments as createSandboxDocuments, documentIds } from '../../sandbox/documents.ts'
import { profiles } from '../../src/access/profile.ts'
import { Secret } from '../../src/common/secret.ts'
import { createDocuments } from '../../src/contacts/documents.ts'
import { views } from '../../src/presentation/views/view.ts'
import { createTimers } from '../harness/timers.ts'
import { failureOf } from '../upstream/raw-hilos.ts'

const id = documentIds.deliveryConfirmation
const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const ordinary = json(createSandboxDocuments(Date.now()).get(id)?.(0))

/** The work on documents, of which those with more bytes are large. */
function arrange(t: Test, largestOnLoop: number) {
  const timers = createTimers()
  const documents = createDocuments({
    ...{ refKey: new Secret('ref'), idKey: new Secret('ids'), metaKeys: ['tier'], maxElements: 100 },
    ...{ largestOnLoop, idleMs: 60_000, clock: timers },
  })
  t.teardown(documents.close)
  return { ...documents, timers }
}

t.test('a large document gives the same in the thread as on the event loop', async (t) => {
  const [onLoop, inThread] = [arrange(t, Number.POSITIVE_INFINITY), arrange(t, 0)]
  const expected = onLoop.present(ordinary, id)
  t.notOk(expected instanceof Promise)
  const presented = await inThread.present(ordinary, id)
  t.strictSame(presented, await expected)
  t.ok(Buffer.isBuffer(presented.content.serialized))
  for (const view of views)
    for (const profile of profiles) {
      const rendered = inThread.render(presented.content, view, profile)
      t.ok(rendered instanceof Promise)
      const { body, ...rest } = await rendered
      t.strictSame({ body, ...rest }, await onLoop.render(presented.content, view, profile), `${view} ${profile}`)
      t.equal(body === presented.content.serialized, view === 'transcript' && profile === 'full')
    }
})

t.test('a document is large when it has more bytes than the event loop takes', async (t) => {
  const isLarge = async (result: unknown) => {
    await result
    return result instanceof Promise
  }
  const { present } = arrange(t, ordinary.length)
  t.notOk(await isLarge(present(ordinary, id)))
  t.ok(await isLarge(present(Buffer.concat([ordinary, Buffer.from(' ')]), id)))
  const { content } = await present(ordinary, id)
  const { length } = content.serialized
  t.notOk(await isLarge(arrange(t, length).render(content, 'summary', 'full')))
  t.ok(await isLarge(arrange(t, length - 1).render(content, 'summary', 'full')))
})

t.test('a failure in the thread is that of the event loop, and the thread goes on', async (t) => {
  const [onLoop, inThread] = [arrange(t, Number.POSITIVE_INFINITY), arrange(t, 0)]
  for (const bytes of [
    Buffer.from('<html>'),
    json({}),
    json({ contact: {}, id: 'x' }),
    json({ execution_steps: Array(101).fill({}) }),
  ]) {
    const [wanted, found] = [
      await failureOf(Promise.resolve().then(() => onLoop.present(bytes, id))),
      await failureOf(Promise.resolve(inThread.present(bytes, id))),
    ]
    t.strictSame([found.constructor, found.code, found.facts], [wanted.constructor, wanted.code, wanted.facts])
  }
  const broken = {
    serialized: Buffer.from('{"canary'),
    identity: { numbers: [], addresses: [], lastNames: [], isComplete: true },
  }
  await t.rejects(Promise.resolve(inThread.render(broken, 'summary', 'agent')), SyntaxError)
  t.ok(await inThread.present(ordinary, id))
})

t.test('a document whose thread ends is too large', async (t) => {
  const { present, close } = arrange(t, 0)
  const presented = failureOf(Promise.resolve(present(ordinary, id)))
  close()
  const { code, facts } = await presented
  t.strictSame([code, facts], ['upstream_too_large', { reason: 'the thread ended' }])
})
