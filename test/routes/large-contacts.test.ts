import t from 'tap'
import { createDocuments, documentIds } from '../../sandbox/documents.ts'
import { type Part, uuid } from '../../sandbox/parts.ts'
import { type Profile, profiles } from '../../src/access/profile.ts'
import { type View, views } from '../../src/presentation/views/view.ts'
import { startService } from '../harness/service.ts'
import { answerTo } from '../presentation/pipeline.ts'

const id = uuid(0x1a56e, 1)
const path = `/execution-contacts/${id}`

/** A document with so many steps that it is worked on in the thread. */
function largeDocument(): Part {
  const document = createDocuments(0).get(documentIds.deliveryConfirmation)?.(0) as Part
  const { length } = JSON.stringify(document)
  const copies = Array.from({ length: Math.ceil((512 * 1024) / length) }, (_, copy) =>
    (document.execution_steps as Part[]).map((step, index) => ({
      ...step,
      id: uuid(copy, index),
      step: { id: uuid(copy, index), name: 'x'.repeat(4000) },
    })),
  )
  return { ...document, id, execution_steps: copies.flat() }
}

t.test('a large contact is served in every view for every profile', async (t) => {
  const { get, sandbox, store } = await startService(t)
  const document = largeDocument()
  sandbox.documents.set(id, () => document)
  const variants = views.flatMap((view) => profiles.map((profile) => [view, profile] as const))
  const wanted = ([view, profile]: readonly [View, Profile]) => answerTo(document, id, view, profile)
  const replies = await Promise.all(
    variants.map(([view, profile]) =>
      get(`${path}?view=${view}&profile=${profile}`, { 'accept-encoding': 'identity' }),
    ),
  )
  t.strictSame(
    replies.map(({ status, json }) => [status, json()]),
    variants.map((variant) => [200, wanted(variant)]),
  )
  t.equal(sandbox.requests.length, 1)
  t.ok(Number(store.get(id)?.bytes) > 128 * 1024)
})

t.test('a large contact that cannot be read is a problem, and keeps no other request waiting', async (t) => {
  const { get, sandbox } = await startService(t)
  await get(`/execution-contacts/${documentIds.ready}`)
  sandbox.documents.set(id, () => ({ ...largeDocument(), id: uuid(0x1a56e, 2) }))
  const ended: string[] = []
  const request = async (name: string, asked: string) => {
    const { status } = await get(asked)
    ended.push(`${name} ${status}`)
  }
  await Promise.all([request('large', path), request('small', `/execution-contacts/${documentIds.ready}`)])
  t.strictSame(ended, ['small 200', 'large 502'])
})
