import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import {
  contact,
  executionContact,
  flow,
  inbound,
  type Part,
  stepDefinition,
  stepExecution,
  uuid,
} from '../../sandbox/parts.ts'
import { isWider, type Profile, profiles } from '../../src/access/profile.ts'
import { compress } from '../../src/presentation/views/content-coding.ts'
import { type View, views } from '../../src/presentation/views/view.ts'
import { type ArrangedCaller, startService } from '../harness/service.ts'
import { presented, render } from '../presentation/pipeline.ts'

const flows = [uuid(0xf1, 1), uuid(0xf1, 2)] as const
const ids = [uuid(0x51, 1), uuid(0x51, 2)] as const

/** Three callers with different rights. The second one may not see the second contact. */
const callers: readonly ArrangedCaller[] = [
  { name: 'everything', profile: 'full' },
  { name: 'support', profile: 'agent', flows: [flows[0]] },
  { name: 'wallboard', profile: 'viewer', flows },
]

/** One revision of a contact. It contains all that differs between profiles, and is large enough to be compressed. */
function documentOf(which: 0 | 1, revision: number): Part {
  const question = stepDefinition(1, { step_type: 'QUESTION', answer_type: 'FREE_TEXT' })
  const text = `revision ${revision} of ${which}, call +525512344433 or MARIA.GONZALEZ@correo-ejemplo.mx ${'…'.repeat(400)}`
  return executionContact(ids[which], {
    flow: flow({ id: flows[which] }),
    contact: contact(),
    status_reason: text,
    execution_steps: [stepExecution(1, question, { messages: [inbound('m1', text, '2026-11-22T10:00:04Z')] })],
  })
}

/** The representation of a document for a profile, made without the service. */
async function expectedOf(document: Part, view: View, profile: Profile, coding: string) {
  const { body, etag } = render(presented(document, String(document.id)).content, view, profile)
  if (coding === 'identity' || body.length < 1024) return { body, etag }
  const compressed = await compress(body, coding as 'br')
  return compressed.length < body.length ? { body, etag: etag.replace(/"$/, `-${coding}"`) } : { body, etag }
}

const requests = fc.record({
  caller: fc.constantFrom(...callers),
  // Most of the time the contact that all callers may see, because absences are padded.
  which: fc.constantFrom<0 | 1>(0, 0, 0, 0, 0, 1),
  view: fc.constantFrom(...views),
  profile: fc.option(fc.constantFrom(...profiles), { nil: undefined }),
  coding: fc.constantFrom('identity', 'gzip', 'br'),
  /** The index of a tag that one of the callers has got so far. */
  tag: fc.option(fc.nat(), { nil: undefined }),
})
/** A request for several contacts, in any order, with repeats. */
const batches = fc.record({
  caller: fc.constantFrom(...callers),
  batch: fc.array(fc.constantFrom<0 | 1>(0, 0, 0, 1), { minLength: 1, maxLength: 5 }),
  view: fc.constantFrom(...views),
  profile: fc.option(fc.constantFrom(...profiles), { nil: undefined }),
  coding: fc.constantFrom('identity', 'gzip', 'br'),
  tag: fc.option(fc.nat(), { nil: undefined }),
})
const events = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: requests },
    { weight: 4, arbitrary: batches },
    { weight: 1, arbitrary: fc.record({ passMs: fc.constantFrom(1000, 70_000) }) },
    { weight: 1, arbitrary: fc.record({ revise: fc.constantFrom<0 | 1>(0, 1) }) },
  ),
  { minLength: 5, maxLength: 40 },
)

async function start(t: Test) {
  const running = await startService(t, { callers })
  const revisions: [Part[], Part[]] = [[], []]
  const revise = (which: 0 | 1) => {
    const document = documentOf(which, revisions[which].length)
    revisions[which].push(document)
    running.sandbox.documents.set(ids[which], () => document)
  }
  revise(0)
  revise(1)
  return { ...running, revisions, revise }
}

type Asked = typeof requests extends fc.Arbitrary<infer Request> ? Request : never
type AskedBatch = typeof batches extends fc.Arbitrary<infer Request> ? Request : never
interface Item {
  readonly id: string
  readonly status: number
  readonly etag?: string
}

const decoders = { br: brotliDecompressSync, gzip: gunzipSync, identity: (body: Buffer) => body }

t.test('callers with different rights never get the variant or the tag of another caller', async (t) => {
  const { service, as, clock, revisions, revise } = await start(t)
  const tags: string[] = ['"none"']
  let [shown, unchanged, shownInBatches, unchangedBatches] = [0, 0, 0, 0]

  /** Makes a request. Returns whether the response is what this caller must get. */
  async function isRight({ caller, which, view, profile, coding, tag }: Asked): Promise<boolean> {
    const given = tag === undefined ? undefined : tags[tag % tags.length]
    const { statusCode, headers, rawPayload } = await service.callers.inject({
      url: `/execution-contacts/${ids[which]}?view=${view}${profile ? `&profile=${profile}` : ''}`,
      headers: { ...as(caller.name), 'accept-encoding': coding, ...(given && { 'if-none-match': given }) },
    })
    if (profile && isWider(profile, caller.profile)) return statusCode === 403 && headers.etag === undefined
    if (caller.flows?.includes(flows[which]) === false) return statusCode === 404 && headers.etag === undefined

    // Any revision is right, because a stored contact may be older than the one at Hilos.
    const variants = await Promise.all(
      revisions[which].map((document) => expectedOf(document, view, profile ?? caller.profile, coding)),
    )
    const variant = variants.find(({ etag }) => etag === headers.etag)
    if (variant === undefined) return false
    tags.push(variant.etag)
    if (statusCode === 304) {
      unchanged += 1
      return given === variant.etag
    }
    shown += 1
    const body = decoders[(headers['content-encoding'] ?? 'identity') as 'br'](rawPayload)
    return statusCode === 200 && given !== variant.etag && body.equals(variant.body)
  }

  /** The same for a batch. It is sent twice, the second time with the tag of the first response. */
  async function isRightBatch(
    { caller, batch, view, profile, coding, tag }: AskedBatch,
    received?: string,
  ): Promise<boolean> {
    const given = received ?? (tag === undefined ? undefined : tags[tag % tags.length])
    const asked = batch.map((which) => ids[which])
    const { statusCode, headers, rawPayload } = await service.callers.inject({
      url: `/execution-contacts?ids=${asked.join()}&view=${view}${profile ? `&profile=${profile}` : ''}`,
      headers: { ...as(caller.name), 'accept-encoding': coding, ...(given && { 'if-none-match': given }) },
    })
    if (profile && isWider(profile, caller.profile)) return statusCode === 403 && headers.etag === undefined
    tags.push(String(headers.etag))
    if (statusCode === 304) {
      unchangedBatches += 1
      return given === headers.etag
    }
    const body = decoders[(headers['content-encoding'] ?? 'identity') as 'br'](rawPayload).toString()
    const { items }: { readonly items: readonly Item[] } = JSON.parse(body)
    if (statusCode !== 200 || given === headers.etag || items.length !== batch.length) return false
    for (const [index, which] of batch.entries()) {
      const item = items[index]
      if (item?.id !== ids[which]) return false
      if (caller.flows?.includes(flows[which]) === false) {
        if (item.status !== 404 || 'data' in item || 'etag' in item) return false
        continue
      }
      const variants = await Promise.all(
        revisions[which].map((document) => expectedOf(document, view, profile ?? caller.profile, 'identity')),
      )
      const variant = variants.find(({ etag }) => etag === item.etag)
      if (variant === undefined || !body.includes(`"data":${variant.body}}`)) return false
      tags.push(variant.etag)
      shownInBatches += 1
    }
    const again = { caller, batch, view, profile, coding, tag }
    return received !== undefined || headers.etag === undefined || isRightBatch(again, headers.etag)
  }

  const property = fc.asyncProperty(events, async (history) => {
    for (const event of history) {
      if ('passMs' in event) clock.advance(event.passMs)
      else if ('revise' in event) revise(event.revise)
      else if (!(await ('batch' in event ? isRightBatch(event) : isRight(event)))) return false
    }
    return true
  })
  const outcome = await fc.check(property, { numRuns: 25, endOnFailure: true })
  // However chance has it, one response is without a body.
  const again = {
    caller: callers[0] as ArrangedCaller,
    which: 0,
    view: 'summary',
    profile: undefined,
    coding: 'identity',
  } as const
  t.ok(await isRight({ ...again, tag: undefined }))
  t.ok(await isRight({ ...again, tag: tags.length - 1 }))
  t.notOk(outcome.failed, fc.defaultReportMessage(outcome) ?? '25 runs')
  t.ok(shown > 50 && unchanged > 0, `${shown} responses with a body, ${unchanged} without`)
  t.ok(
    shownInBatches > 50 && unchangedBatches > 0,
    `${shownInBatches} items shown, ${unchangedBatches} batches without a body`,
  )
})
