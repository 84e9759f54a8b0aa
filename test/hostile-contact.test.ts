import { cpuUsage } from 'node:process'
import t from 'tap'
import type { Profile } from '../src/access/profile.ts'
import { parseJson } from '../src/upstream/transport/parse-json.ts'
import { checkRows, difference } from './harness/table.ts'
import { answerTo } from './presentation/pipeline.ts'

const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
/** The most that Hilos may send by default, less the rest of the document. */
const mostBytes = 5 * 1024 * 1024 - 5000
const ana = { id: 'c1', first_name: 'Ana', canonical_phone: '+525512344433', email: 'ana.prueba@ejemplo.test' }
const step = (given: object) => ({
  execution_steps: [{ id: 's1', step: { step_type: 'QUESTION', answer_type: 'ANY' }, ...given }],
})
const message = (given: object) => step({ messages: [{ message: { id: 'm1', direction: 'INBOUND', ...given } }] })

/** A document with a text in each of the fields that hold one. */
const fields: Readonly<Record<string, (text: string) => object>> = {
  status: (text) => ({ status: text }),
  status_reason: (text) => ({ status_reason: text }),
  inbox_contact_id: (text) => ({ inbox_contact_id: text }),
  first_name: (text) => ({ contact: { ...ana, first_name: text } }),
  canonical_phone: (text) => ({ contact: { ...ana, canonical_phone: text } }),
  phone: (text) => ({ contact: { ...ana, phone: text } }),
  email: (text) => ({ contact: { ...ana, email: text } }),
  'flow.name': (text) => ({ flow: { name: text } }),
  'flow.id': (text) => ({ flow: { id: text } }),
  changedBy: (text) => ({ status_triggered_by: { first_name: text } }),
  'step.status_reason': (text) => step({ status_reason: text }),
  'step.execution_result': (text) => step({ execution_result: text }),
  'step.name': (text) => step({ step: { name: text, step_type: 'QUESTION' } }),
  'step.answer_options': (text) => step({ step: { answer_type: 'ANY', answer_options: [text] } }),
  'message.id': (text) => message({ id: text }),
  'message.body': (text) => message({ body: text }),
  'message.from_number': (text) => message({ from_number: text }),
  'message.content_url': (text) => message({ content_url: text }),
  'message.provider_error_code': (text) => message({ status: 'failed', provider_error_code: text }),
  'message.location.address': (text) => message({ location: { address: text } }),
  'answer to a question for a number': (text) => ({
    execution_steps: [
      {
        step: { answer_type: 'PHONE', step_type: 'QUESTION' },
        messages: [{ message: { direction: 'IN', body: text } }],
      },
    ],
  }),
}

/** Everything that takes the reader and the redaction longer than letters do. Nothing in it is found. */
const hostile = '95512344433 %2541 &amp;#64; a@ana.prueba@ 漢5 ㏂\\u0041 https://a?token= https://a.example/?b=1 '
const ordinary = 'Hola, gracias por todo. Nos vemos luego en la tienda de la esquina. '

const filled = (unit: string) => unit.repeat(Math.floor(mostBytes / Buffer.byteLength(JSON.stringify(unit))))
const documentWith = (field: string, text: string) => JSON.stringify({ id, contact: ana, ...fields[field]?.(text) })

/** The processor time of an answer, from the text of Hilos on. */
function costOf(json: string, profile: Profile): number {
  const before = cpuUsage()
  answerTo(parseJson(json), id, 'transcript', profile)
  const { user, system } = cpuUsage(before)
  return user + system
}

t.test('the largest value in any text field costs no more than a few times as much as ordinary words', async (t) => {
  const [hostileText, ordinaryText] = [filled(hostile), filled(ordinary)]
  // What is to be bounded is the work for each character: a quadratic part would take thousands of times as long.
  const mostTimes = 40
  const usual = Math.max(costOf(documentWith('message.body', ordinaryText), 'agent'), 20_000)
  const cases = Object.keys(fields).flatMap((field) =>
    (['agent', 'viewer'] as const).map((profile) => [field, profile] as const),
  )
  const check = ([field, profile]: (typeof cases)[number]) => {
    const cost = costOf(documentWith(field, hostileText), profile)
    return cost < mostTimes * usual ? null : `${Math.round(cost / usual)} times as much`
  }
  checkRows(t, cases, check, 'every field for every profile')
})

t.test('a long row of one mark with something behind it costs no more than a few times as much as words', async (t) => {
  const length = 50_000
  const mostTimes = 40
  const usual = Math.max(costOf(documentWith('message.body', ordinary.repeat(length / 50)), 'agent'), 20_000)
  const marks = ['/', '.', '-', '_', ' ', ':', '@', '#', '?a=', '=', '&', '%', '\\', '(', '*', '0', '1 ', '+']
  const cases = Object.keys(fields).flatMap((field) => marks.map((mark) => [field, mark] as const))
  const check = ([field, mark]: (typeof cases)[number]) => {
    // Another text makes the service look for the places of files.
    const reason = field === 'status_reason' ? {} : { status_reason: 'https://a.example/b' }
    const texts = ['', 'https://a.example/'].map((head) => `${head}${mark.repeat(length)}a`)
    const costs = texts.map((text) =>
      costOf(JSON.stringify({ id, contact: ana, ...reason, ...fields[field]?.(text) }), 'agent'),
    )
    const cost = Math.max(...costs)
    return cost < mostTimes * usual ? null : `${Math.round(cost / usual)} times as much`
  }
  checkRows(t, cases, check, 'every mark in every field')
})

t.test('thousands of addresses or numbers withhold the texts, and are not looked for', async (t) => {
  const reason = 'ana.prueba@ejemplo.test 5512344433'
  const addresses = Array.from({ length: 20_000 }, (_, index) => `a${index}@x.mx`).join()
  const numbers = Array.from({ length: 20_000 }, (_, index) => `55${10_000_000 + index}`)
  const hidden = [
    { contact: { ...ana, email: addresses } },
    { contact: { ...ana, phone: numbers.join() } },
    step({ messages: numbers.slice(0, 9000).map((from_number) => ({ message: { direction: 'IN', from_number } })) }),
  ]
  const check = (given: object) =>
    difference(answerTo({ id, contact: ana, status_reason: reason, ...given }, id, 'summary', 'agent').reason, null)
  checkRows(t, hidden, check, 'every document')
})

t.test('after a million characters in which a number may be, further texts are withheld', async (t) => {
  const message = (body: string) => ({ message: { direction: 'IN', body } })
  const full = Array.from({ length: 10 }, (_, index) => `5512344433 ${'1'.repeat(99_978)}${index}`)
  const bodies = ['Hola', ...full, `5512344433 ${'1'.repeat(100)}`, 'Hola', '123456']
  const document = { id, contact: ana, ...step({ messages: bodies.map(message) }) }
  const { messages } = answerTo(document, id, 'transcript', 'agent')
  const beginnings = messages.map(({ text }: { text: string }) => text.slice(0, 10))
  t.strictSame(beginnings, ['Hola', ...Array(10).fill('[phone] 11'), '[withheld]', 'Hola', '[withheld]'])
})

t.test('after ten thousand queries of URLs, further ones are taken away', async (t) => {
  const reasonFor = (count: number) =>
    answerTo({ id, contact: ana, status_reason: 'https://a.example/?b=1 '.repeat(count) }, id, 'summary', 'full').reason
  t.equal(reasonFor(10_000), 'https://a.example/?b=1 '.repeat(10_000))
  t.equal(reasonFor(10_001), `${'https://a.example/?b=1 '.repeat(10_000)}https://a.example/ `)
})
