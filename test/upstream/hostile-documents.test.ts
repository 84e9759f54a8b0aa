import t, { type Test } from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { createDriftTally } from '../../src/upstream/document/drift.ts'
import { readDocument } from '../../src/upstream/document/read-document.ts'

const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
const mebibyte = 1024 * 1024
/** Generous: only a reader that is worse than linear takes so long. */
const boundMs = 2000

/** Reads a text as the service does. The document is null where it was refused, and only by name. */
function read(t: Test, json: string) {
  const { report, counts } = createDriftTally(() => {})
  const startedMs = performance.now()
  const document = documentOrNull(() => readDocument(JSON.parse(json), id, report))
  const tookMs = performance.now() - startedMs
  t.ok(tookMs < boundMs, `in bounded time, ${Math.round(tookMs)} ms`)
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

t.test('keys that reach for prototypes, when read, are unknown fields and pollute nothing', async (t) => {
  const before = [Object.prototype, Array.prototype, Function.prototype].map((one) => Reflect.ownKeys(one))
  const evil = '"__proto__":{"status":"polluted","first_name":"polluted"},"constructor":{"prototype":{"polluted":1}}'
  const { document, steps, drift } = read(
    t,
    `{${evil},"contact":{${evil}},"execution_steps":[{${evil},"step":{${evil}},"messages":[{${evil},"message":{${evil}}}]}]}`,
  )
  const after = [Object.prototype, Array.prototype, Function.prototype].map((one) => Reflect.ownKeys(one))
  t.strictSame(after, before)
  t.equal(document?.status, null)
  t.equal(document?.contact?.first_name, null)
  t.equal(steps[0]?.status, null)
  t.equal(Object.getPrototypeOf(document), Object.prototype)
  t.equal(drift.filter((line) => line.endsWith('(unprintable) 1')).length, 6)
  t.equal(drift.filter((line) => line.endsWith('constructor 1')).length, 6)
  t.notMatch(JSON.stringify(document), /polluted/)
})

t.test('duplicate keys, when read, are the last of them, and an id cannot be smuggled past the check', async (t) => {
  const table = [
    [`{"status":"READY","status":"FAILED","contact":{}}`, 'FAILED'],
    [`{"id":"other","status":"FAILED","id":"${id}","contact":{}}`, 'FAILED'],
    [`{"id":"${id}","status":"FAILED","id":"other","contact":{}}`, undefined],
    [`{"status":"FAILED","contact":{},"contact":null}`, undefined],
  ] as const
  for (const [json, status] of table) t.equal(read(t, json).document?.status, status, json)
})

t.test('ten thousand steps, when read, are ten thousand steps', async (t) => {
  const step = '{"id":"s","status":"NEW","step":{"name":7},"messages":[{"message":{"id":"m"}},{}]}'
  const { steps, drift } = read(t, `{"execution_steps":[${Array(10_000).fill(step).join()}]}`)
  t.equal(steps.length, 10_000)
  t.equal(steps.at(-1)?.messages.length, 1)
  t.strictSame(drift, ['unknown_value execution_steps[].status 10000', 'wrong_type execution_steps[].step.name 10000'])
})

t.test('a text of five mebibytes, when it is anywhere, is read and appears in no report', async (t) => {
  const long = 'x'.repeat(5 * mebibyte)
  t.equal(read(t, `{"contact":{"first_name":"${long}"}}`).document?.contact?.first_name, long)
  t.strictSame(read(t, `{"contact":{},"status":"${long}"}`).drift, ['unknown_value status 1'])
  t.strictSame(read(t, `{"contact":{},"created_on":"${long}"}`).drift, ['wrong_type created_on 1'])
  t.strictSame(read(t, `{"contact":{},"${long}":1}`).drift, ['unknown_field (unprintable) 1'])
  t.equal(read(t, `{"contact":{},"id":"${long}"}`).document, null)
  const surrogates = '\\ud800'.repeat(mebibyte)
  t.equal(read(t, `{"contact":{"email":"${surrogates}"}}`).document?.contact?.email, '\ufffd'.repeat(mebibyte))
  const digits = '1'.repeat(5 * mebibyte)
  t.equal(read(t, `{"contact":{},"created_on":"2026-11-22T10:00:00.${digits}Z"}`).document?.created_on, null)
})

t.test('nesting 200,000 deep, when it is anywhere, neither overflows the stack nor takes long', async (t) => {
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
  for (const deep of [nested(200_000), nestedObjects(200_000)])
    for (const place of places)
      t.ok(
        read(
          t,
          place.replaceAll('DEEP', () => deep),
        ).document,
        place,
      )
  t.equal(read(t, nested(200_000)).document, null)
  t.ok(read(t, nestedObjects(200_000)).document)
})

t.test('numbers too large for a double, when read, are none', async (t) => {
  const { document, steps, drift } = read(
    t,
    `{"contact":{},"created_on":1e400,"execution_steps":[{"execution_result":-1e400,"validation_failed_attempts":1e400,
      "messages":[{"message":{"failed_attempts":9007199254740993,"provider_error_code":1e400,
      "location":{"latitude":1e400,"longitude":-1e400}}}]}]}`,
  )
  t.equal(document?.created_on, null)
  t.equal(steps[0]?.execution_result, null)
  t.equal(steps[0]?.validation_failed_attempts, null)
  t.match(steps[0]?.messages[0], { failed_attempts: null, provider_error_code: null })
  t.strictSame(steps[0]?.messages[0]?.location, { latitude: null, longitude: null, address: null, place_name: null })
  t.equal(drift.length, 6)
})

t.test('lone surrogates, when in a text, become U+FFFD, so that what is read is well-formed', async (t) => {
  const lone = '"\\ud83d \\ude9a \\u0000"'
  const { document, steps } = read(
    t,
    `{"status":${lone},"flow_execution":${lone},"contact":{"first_name":${lone}},"execution_steps":[
      {"execution_result":${lone},"step":{"answer_options":[${lone}]},"messages":[{"message":
      {"provider_error_code":${lone},"context_message":{"id":${lone}}}}]}]}`,
  )
  const well = '\ufffd \ufffd \0'
  const [step] = steps
  t.strictSame(
    [
      document?.status,
      document?.flow_execution,
      document?.contact?.first_name,
      step?.execution_result,
      step?.step?.answer_options?.[0],
      step?.messages[0]?.provider_error_code,
      step?.messages[0]?.context_message,
    ],
    Array(7).fill(well),
  )
})

t.test('a hundred thousand unknown fields, when anywhere, are looked at no further than the hundredth', async (t) => {
  const many = unknownFields(100_000)
  for (const json of [
    `{"contact":{},${many}}`,
    `{"contact":{${many}}}`,
    `{"execution_steps":[{"step":{${many}}}]}`,
    `{"execution_steps":[{"messages":[{"message":{${many}}}]}]}`,
  ]) {
    const { document, drift } = read(t, json)
    t.ok(document)
    t.equal(drift.length, 100)
    t.ok(drift.every((row) => row.startsWith('unknown_field ')))
  }
})

t.test('a hundred thousand elements that do not fit, when in a list, are left out', async (t) => {
  const { steps, drift } = read(t, `{"execution_steps":[${Array(100_000).fill('7').join()},{}]}`)
  t.equal(steps.length, 1)
  t.strictSame(drift, ['wrong_type execution_steps[] 100000'])
})
