import { readdirSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { Profile } from '../../src/access/profile.ts'
import { parseJson } from '../../src/upstream/transport/parse-json.ts'
import { digitsIn, folded, textsIn } from '../harness/folded.ts'
import { checkRows, difference } from '../harness/table.ts'
import { answerTo } from '../presentation/pipeline.ts'

/**
 * Documents with faults that people have reported of software that does this job. Each stands for a kind. The contact in
 * them does not exist.
 */
const directory = new URL('documents/', import.meta.url)

/** What is right for a document; the answers are transcripts. */
type Check = (t: Test, answerFor: (profile: Profile) => Answer) => void
// biome-ignore lint/suspicious/noExplicitAny: assertions are the check
type Answer = any

const textsOf = ({ messages }: Answer) => messages.map(({ text }: Answer) => text)
const answersOf = ({ answers }: Answer) => answers.map(({ value, messageId }: Answer) => [value, messageId])

const checks: Readonly<Record<string, Check>> = {
  'canonical-empty': (t, answerFor) => {
    t.equal(answerFor('full').contact.phone, '5215512344433')
    t.match(answerFor('agent'), {
      reason: 'El numero [phone] no respondio',
      contact: { name: null, phone: '****4433' },
    })
  },
  'raw-int-phone': (t, answerFor) => {
    t.equal(answerFor('full').contact.phone, '525512344433')
    t.match(answerFor('agent'), { reason: 'tel [phone]', answers: [{ value: '[phone]' }] })
  },
  'phone-differs': (t, answerFor) => {
    t.match(answerFor('agent'), { reason: 'Sent to [phone]', messages: [{ text: 'mi otro es [phone]' }] })
  },
  'bj-waid': (t, answerFor) => {
    t.equal(answerFor('agent').reason, 'recipient [phone] not reachable')
    t.strictSame(textsOf(answerFor('agent')), ['mon numero [phone]', 'wa.me/[phone]'])
  },
  'changed-number': (t, answerFor) => {
    t.equal(textsOf(answerFor('agent'))[1], 'User A changed from \u200e[phone] to [phone]\u200e')
  },
  'email-answer': (t, answerFor) => {
    t.strictSame(textsOf(answerFor('agent')), ['Tu correo?', '[email]', 'Te escribimos a [email]'])
    t.strictSame(answersOf(answerFor('agent')), [['[email]', 'a']])
  },
  'run-reason-echoes-action': (t, answerFor) => {
    for (const profile of ['full', 'agent', 'viewer'] as const) {
      const answer = answerFor(profile)
      t.match(answer, { reason: null, reasonWithheld: true, steps: [{ reason: null, reasonWithheld: true }] })
      t.notMatch(JSON.stringify(answer), /f00dfeed/)
    }
  },
  'media-url-answer': (t, answerFor) => {
    for (const profile of ['full', 'agent', 'viewer'] as const) {
      t.match(answerFor(profile), {
        answers: [{ value: null, messageId: 'a' }],
        messages: [{}, { media: { type: 'image' } }],
      })
      t.notMatch(JSON.stringify(answerFor(profile)), /files\.hilos|5f2d7c/)
    }
  },
  'status-deleted': (t, answerFor) => {
    t.match(answerFor('full'), { answers: [], messages: [{}, { isDeleted: true, text: null }] })
    t.strictSame(answerFor('full').answers, [])
    t.notMatch(JSON.stringify(answerFor('full')), /SECRETO/)
  },
  'wamid-in-reason': (t, answerFor) => {
    const { reason, steps, messages } = answerFor('agent')
    t.equal(reason, 'Message [id] was not delivered (131026)')
    t.equal(steps[0].reason, 'context message [id] not found')
    t.equal(messages[0].text, 'ver [id]')
  },
  'onprem-id': (t, answerFor) => {
    for (const profile of ['agent', 'viewer'] as const) {
      const { steps, answers, messages } = answerFor(profile)
      const [question, reply] = messages
      for (const { id } of messages) t.match(id, /^id_[0-9a-z]{16}$/)
      t.equal(reply.replyTo, question.id)
      t.equal(answers[0].messageId, reply.id)
      t.strictSame(steps[0].messageIds, [question.id, reply.id])
    }
  },
  'statusraw-phone': (t, answerFor) => {
    t.equal(answerFor('agent').statusRaw, 'BLOCKED_[phone]')
    t.equal(answerFor('viewer').statusRaw, 'BLOCKED_[phone]')
  },
  'twilio-plus': (t, answerFor) => t.equal(answerFor('agent').reason, 'GET /call?salesPhone=[phone] -> 400'),
  'national-only': (t, answerFor) => {
    t.strictSame(textsOf(answerFor('agent')), [
      '[phone]',
      '[phone]',
      'https://wa.me/[phone]',
      '[phone]@s.whatsapp.net',
      '[phone]',
    ])
  },
  'alaveteli-forms': (t, answerFor) => {
    t.strictSame(textsOf(answerFor('agent')), ['[email]', '[email]', ...Array(6).fill('[phone]')])
  },
  'name-lid': (t, answerFor) => t.equal(answerFor('agent').contact.name, null),
  'name-last-only': (t, answerFor) => t.match(answerFor('agent'), { changedBy: 'R.', contact: { name: 'H.' } }),
  'reaction-answer': (t, answerFor) => t.strictSame(answersOf(answerFor('full')), [['Lunes', 'a']]),
  'same-second': (t, answerFor) => {
    t.strictSame(textsOf(answerFor('full')), ['Tu nombre?', 'Ana'])
    t.strictSame(answersOf(answerFor('full')), [['Ana', 'a']])
  },
  'retry-then-sent': (t, answerFor) => {
    const { messages } = answerFor('full')
    const statuses = messages.map(({ delivery }: Answer) => delivery.status)
    t.strictSame(statuses, ['sent', 'queued', 'queued', 'delivered', 'read', 'sent'])
    for (const { delivery } of messages) t.equal(delivery.error, null)
  },
  'delay-leftover': (t, answerFor) => {
    const { progress, steps } = answerFor('full')
    t.match(progress, { waitingFor: 'ANSWER', expiresAt: '2026-11-29T10:00:00Z' })
    t.equal(steps[0].delayUntil, null)
  },
  'newest-first': (t, answerFor) => {
    const { progress, steps } = answerFor('full')
    t.strictSame(
      steps.map(({ id }: Answer) => id),
      ['old', 'new'],
    )
    t.match(progress, { currentStepId: 'new', currentStep: { id: 'new', type: 'QUESTION' } })
  },
  'not-executed-counted': (t, answerFor) => {
    t.match(answerFor('full').progress, { steps: 1, notBegun: 3, completed: 1, failed: 0 })
  },
  'raw-bigint': (t, answerFor) => {
    t.match(answerFor('full'), {
      answers: [{ value: '646180157000000004' }],
      contact: { meta: { account: '646180157000000004' } },
    })
  },
}

t.test('every document has a check', async (t) => {
  const names = readdirSync(directory).map((file) => file.replace(/\.json$/, ''))
  t.strictSame(names.sort(), Object.keys(checks).sort())
})

for (const [name, isRight] of Object.entries(checks))
  t.test(`the document ${name} is shown as it should be`, async (t) => {
    const document = parseJson(readFileSync(new URL(`${name}.json`, directory), 'utf8')) as { readonly id: string }
    const answerFor = (profile: Profile): Answer => answerTo(document, document.id, 'transcript', profile, ['account'])
    isRight(t, answerFor)

    const numbers = JSON.stringify(document).match(/(?<="(?:canonical_)?phone":"?\+?)\d+/g) ?? []
    const hidden = [...numbers.map((number) => number.slice(-8)), 'ana.prueba@', 'test@example']
    const shown = (['agent', 'viewer'] as const).flatMap((profile) => textsIn(answerFor(profile)))
    const texts = shown.filter(([, text]) => !isUuid.test(text))
    const check = ([, text]: (typeof texts)[number]) => {
      const found = hidden.filter((each) => digitsIn(text).includes(each) || folded(text).includes(each))
      return difference(found, [])
    }
    checkRows(t, texts, check, 'no text holds the number or the address')
  })

/** Some of these ids have eight zeros in a row, as one of the numbers has. */
const isUuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/
