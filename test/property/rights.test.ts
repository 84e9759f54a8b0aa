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
import { createContactRef } from '../../src/presentation/contact/contact.ts'
import { presentExecutionContact } from '../../src/presentation/contact/execution-contact.ts'
import { compress } from '../../src/presentation/views/content-coding.ts'
import { packContact, renderView, type View, views } from '../../src/presentation/views/view.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'
import { contactRefKey, startService } from '../harness/service.ts'

const flows = [uuid(0xf1, 1), uuid(0xf1, 2)] as const
const ids = [uuid(0x51, 1), uuid(0x51, 2)] as const

/** Three callers with different rights, of whom one may not know of the second contact. */
const callers = [
  { name: 'everything', profile: 'full' },
  { name: 'support', profile: 'agent', flows: [flows[0]] },
  { name: 'wallboard', profile: 'viewer', flows: [...flows] },
] as const
type CallerName = (typeof callers)[number]['name']

/** One revision of one of the contacts: all that differs between profiles is in it, and large enough to be compressed. */
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

/** What somebody of this profile has to get, made anew from the document. */
async function expectedOf(document: Part, view: View, profile: Profile, coding: string) {
  const read = readDocument(document, String(document.id), () => {})
  const presented = presentExecutionContact(read, { refOf: createContactRef(contactRefKey), metaKeys: [] })
  const { body, etag } = renderView(packContact(presented), view, profile)
  if (coding === 'identity' || body.length < 1024) return { body, etag }
  const compressed = await compress(body, coding as 'br')
  return compressed.length < body.length ? { body, etag: etag.replace(/"$/, `-${coding}"`) } : { body, etag }
}

const requests = fc.record({
  caller: fc.constantFrom<CallerName>('everything', 'support', 'wallboard'),
  // Most of the time the one that all of them may know of: what is concealed is told slowly.
  which: fc.constantFrom<0 | 1>(0, 0, 0, 0, 0, 1),
  view: fc.constantFrom(...views),
  profile: fc.option(fc.constantFrom(...profiles), { nil: undefined }),
  coding: fc.constantFrom('identity', 'gzip', 'br'),
  /** Any tag that any of them has got so far. */
  tag: fc.option(fc.nat(), { nil: undefined }),
})
const events = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: requests },
    { weight: 1, arbitrary: fc.record({ passMs: fc.constantFrom(1000, 70_000) }) },
    { weight: 1, arbitrary: fc.record({ revise: fc.constantFrom<0 | 1>(0, 1) }) },
  ),
  { minLength: 5, maxLength: 40 },
)

async function start(t: Test) {
  const running = await startService(t, { callers })
  const revisions: [Part[], Part[]] = [[], []]
  const revise = (which: 0 | 1) => {
    const document = documentOf(which, revisions[which].push(documentOf(which, revisions[which].length)) - 1)
    running.sandbox.documents.set(ids[which], () => document)
  }
  revise(0)
  revise(1)
  return { ...running, revisions, revise }
}

t.test(
  'three callers, in whatever order they ask, each get their own variant and never a tag of another',
  async (t) => {
    const { service, as, clock, revisions, revise } = await start(t)
    const tags: string[] = ['"none"']
    let [shown, unchanged] = [0, 0]
    const property = fc.asyncProperty(events, async (sequence) => {
      for (const event of sequence) {
        if ('passMs' in event) clock.advance(event.passMs)
        else if ('revise' in event) revise(event.revise)
        else {
          const { caller, which, view, profile, coding, tag } = event
          const given = tag === undefined ? undefined : tags[tag % tags.length]
          const { statusCode, headers, rawPayload } = await service.callers.inject({
            url: `/execution-contacts/${ids[which]}?view=${view}${profile ? `&profile=${profile}` : ''}`,
            headers: { ...as(caller), 'accept-encoding': coding, ...(given && { 'if-none-match': given }) },
          })
          const rights = callers.find(({ name }) => name === caller)
          const own = rights?.profile ?? 'viewer'
          const mayKnow =
            rights !== undefined && (!('flows' in rights) || rights.flows.some((id) => id === flows[which]))
          if (profile && isWider(profile, own)) {
            if (statusCode !== 403 || headers.etag !== undefined) return false
          } else if (!mayKnow) {
            if (statusCode !== 404 || headers.etag !== undefined) return false
          } else {
            // Of any revision: what is remembered may be older than what Hilos has by now.
            const variants = await Promise.all(
              revisions[which].map((document) => expectedOf(document, view, profile ?? own, coding)),
            )
            const variant = variants.find(({ etag }) => etag === headers.etag)
            if (variant === undefined) return false
            tags.push(variant.etag)
            if (statusCode === 304) {
              unchanged += 1
              if (given !== variant.etag) return false
            } else {
              shown += 1
              const encoding = headers['content-encoding']
              const body =
                encoding === 'br' ? brotliDecompressSync(rawPayload) : encoding ? gunzipSync(rawPayload) : rawPayload
              if (statusCode !== 200 || given === variant.etag || !body.equals(variant.body)) return false
            }
          }
        }
      }
      return true
    })
    const outcome = await fc.check(property, { numRuns: 25, endOnFailure: true })
    t.notOk(outcome.failed, fc.defaultReportMessage(outcome) ?? 'they do')
    t.ok(shown > 50 && unchanged > 0, `${shown} answers, ${unchanged} of them only a tag`)
  },
)
