import t from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { createDriftTally } from '../../src/upstream/document/drift.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'
import { isLinear } from '../harness/growth.ts'
import { checkRows } from '../harness/table.ts'

const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
const mebibyte = 1024 * 1024

/** Reads a text as the service does. The document is null if it is refused. */
function read(json: string) {
  const { report, counts } = createDriftTally(() => {})
  const document = documentOrNull(() => readDocument(JSON.parse(json), id, report))
  const drift = counts().map(({ kind, path, count }) => `${kind} ${path} ${count}`)
  return { document, steps: document?.execution_steps ?? [], drift }
}

function documentOrNull<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof Failure && error.code === 'upstream_invalid_response') return null
    throw error
  }
}

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const nestedObjects = (depth: number) => `${'{"contact":'.repeat(depth)}{}${'}'.repeat(depth)}`
const unknownFields = (count: number) => Array.from({ length: count }, (_, index) => `"field_${index}":1`).join()
const stepsOf = (count: number, step: string) => `{"execution_steps":[${Array(count).fill(step).join()}]}`

t.test('keys of prototypes are unknown fields and pollute nothing', async (t) => {
  const keysOfPrototypes = () => [Object, Array, Function].map(({ prototype }) => Reflect.ownKeys(prototype))
  const before = keysOfPrototypes()
  const evil = '"__proto__":{"status":"polluted","first_name":"polluted"},"constructor":{"prototype":{"polluted":1}}'
  const step = `{${evil},"step":{${evil}},"messages":[{${evil},"message":{${evil}}}]}`
  const { document, steps, drift } = read(`{${evil},"contact":{${evil}},"execution_steps":[${step}]}`)
  t.strictSame(keysOfPrototypes(), before)
  t.equal(document?.status, null)
  t.equal(document?.contact?.first_name, null)
  t.equal(steps[0]?.status, null)
  t.equal(Object.getPrototypeOf(document), Object.prototype)
  t.equal(drift.filter((line) => line.endsWith('(unprintable) 1')).length, 6)
  t.equal(drift.filter((line) => line.endsWith('constructor 1')).length, 6)
  t.notMatch(JSON.stringify(document), /polluted/)
})

t.test('the last of duplicate keys counts, for the check of the id too', async (t) => {
  const table = [
    [`{"status":"READY","status":"FAILED","contact":{}}`, 'FAILED'],
    [`{"id":"other","status":"FAILED","id":"${id}","contact":{}}`, 'FAILED'],
    [`{"id":"${id}","status":"FAILED","id":"other","contact":{}}`, undefined],
    [`{"status":"FAILED","contact":{},"contact":null}`, undefined],
  ] as const
  for (const [json, status] of table) t.equal(read(json).document?.status, status, json)
})

const manySteps = (count: number) =>
  stepsOf(count, '{"id":"s","status":"NEW","step":{"name":7},"messages":[{"message":{"id":"m"}},{}]}')

t.test('ten thousand steps are read, and a hundred thousand elements that are none are left out', async (t) => {
  const { steps, drift } = read(manySteps(10_000))
  t.equal(steps.length, 10_000)
  t.equal(steps.at(-1)?.messages.length, 1)
  t.strictSame(drift, ['unknown_value execution_steps[].status 10000', 'wrong_type execution_steps[].step.name 10000'])
  t.match(read(stepsOf(100_000, '7')), { steps: [], drift: ['wrong_type execution_steps[] 100000'] })
})

t.test('a text of five mebibytes is read and appears in no report', async (t) => {
  const long = 'x'.repeat(5 * mebibyte)
  t.ok(read(`{"contact":{"first_name":"${long}"}}`).document?.contact?.first_name === long)
  t.strictSame(read(`{"contact":{},"status":"${long}"}`).drift, ['unknown_value status 1'])
  t.strictSame(read(`{"contact":{},"created_on":"${long}"}`).drift, ['wrong_type created_on 1'])
  t.strictSame(read(`{"contact":{},"${long}":1}`).drift, ['unknown_field (unprintable) 1'])
  t.equal(read(`{"contact":{},"id":"${long}"}`).document, null)
  const surrogates = '\\ud800'.repeat(mebibyte)
  t.ok(read(`{"contact":{"email":"${surrogates}"}}`).document?.contact?.email === '\ufffd'.repeat(mebibyte))
})

t.test('fifty thousand levels do not overflow the stack, at any place', async (t) => {
  const places = [
    '{"contact":{"meta":DEEP}}',
    '{"contact":{},"execution_steps":DEEP}',
    '{"contact":{},"flow_execution":DEEP}',
    '{"contact":{},"status":DEEP}',
    '{"contact":{},"is_test":DEEP,"created_on":DEEP,"inbox_contact_id":DEEP}',
    '{"contact":{},"new_field":DEEP}',
    '{"execution_steps":[{"execution_result":DEEP,"request_data":DEEP,"step":DEEP,"messages":DEEP}]}',
    '{"execution_steps":[{"messages":[{"message":{"content":DEEP,"context_message":DEEP,"contacts":DEEP}}]}]}',
  ]
  for (const deep of [nested(50_000), nestedObjects(50_000)])
    checkRows(
      t,
      places,
      (place) => (read(place.replaceAll('DEEP', () => deep)).document ? null : 'no document'),
      'a document',
    )
  t.equal(read(nested(50_000)).document, null)
  t.ok(read(nestedObjects(50_000)).document)
})

t.test('of a hundred thousand unknown fields the first hundred are reported, at any place', async (t) => {
  const many = unknownFields(100_000)
  const places = [
    `{"contact":{},${many}}`,
    `{"contact":{${many}}}`,
    `{"execution_steps":[{"step":{${many}}}]}`,
    `{"execution_steps":[{"messages":[{"message":{${many}}}]}]}`,
  ]
  for (const json of places) {
    const { document, drift } = read(json)
    t.ok(document)
    t.equal(drift.length, 100)
    t.ok(drift.every((row) => row.startsWith('unknown_field ')))
  }
})

t.test('reading takes linear time', async (t) => {
  const texts: Record<string, (size: number) => string> = {
    steps: (size) => manySteps(size / 100),
    'a text': (size) => `{"contact":{"first_name":"${'x'.repeat(size)}"}}`,
    surrogates: (size) => `{"contact":{"email":"${'\\ud800'.repeat(size)}"}}`,
    'a name': (size) => `{"contact":{},"${'x'.repeat(size)}":1}`,
    'a time': (size) => `{"contact":{},"created_on":"2026-11-22T10:00:00.${'1'.repeat(size)}Z"}`,
    levels: (size) => `{"contact":{"meta":${nested(size / 5)}}}`,
    'unknown fields': (size) => `{"contact":{},${unknownFields(size / 10)}}`,
  }
  checkRows(
    t,
    Object.entries(texts),
    ([, make]) => (isLinear((size) => read(make(size)), 300_000) ? null : 'not linear'),
    'each text',
  )
})
