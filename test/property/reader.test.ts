import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { elementsIn, readDocument } from '../../src/upstream/document/read-document.ts'
import { type ContractName, contracts, plantCanaries } from '../harness/canary-document.ts'
import { mayEverLeave } from '../harness/may-leave.ts'
import { canariesAt, canariesInText, placesIn } from './canaries.ts'
import { hilosTexts, requestedId } from './hilos-text.ts'
import { holds } from './holds.ts'
import { anyJson, isWellFormed, numbered } from './json-text.ts'

/** The document, or null if it is rejected, and the drift. */
function read(json: unknown) {
  const drift: string[] = []
  try {
    return { document: readDocument(json, requestedId, (kind, path) => drift.push(`${kind} ${path}`)), drift }
  } catch (error) {
    if (error instanceof Failure && error.code === 'upstream_invalid_response') return { document: null, drift }
    throw error
  }
}

/** Most texts are like a document of Hilos, some are any JSON. */
const texts = fc.oneof(
  { weight: 3, arbitrary: hilosTexts },
  { weight: 1, arbitrary: anyJson.map(numbered) },
  { weight: 1, arbitrary: fc.json({ stringUnit: 'binary' }) },
)

/** False for null and for arrays. */
const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Object.prototype.toString.call(value) === '[object Object]'

t.test('any JSON with steps or a contact and no other id is a document, and any other JSON is rejected', async (t) => {
  let documents = 0
  const property = fc.property(texts, (text) => {
    const json: unknown = JSON.parse(text)
    const reading = read(json)
    if (reading.document !== null) documents += 1
    const hasParts = isPlain(json) && (Array.isArray(json.execution_steps) || isPlain(json.contact))
    const id = isPlain(json) ? (json.id ?? requestedId) : null
    const isRequested = typeof id === 'string' && id.toLowerCase() === requestedId
    if ((reading.document !== null) !== (hasParts && isRequested)) return false
    return isDeepStrictEqual(read(json), reading)
  })
  holds(t, property)
  t.ok(documents > 5, `${documents} were documents`)
})

t.test('neither the JSON nor a prototype is changed by counting and reading', async (t) => {
  const prototypes = [Object, Array, Function, String, Number, Boolean].map(({ prototype }) => prototype)
  const described = () => prototypes.map((prototype) => Object.getOwnPropertyDescriptors(prototype))
  const before = described()
  const property = fc.property(texts, (text) => {
    const json: unknown = JSON.parse(text)
    const elements = elementsIn(json)
    read(json)
    return Number.isInteger(elements) && elements >= 0 && isDeepStrictEqual(json, JSON.parse(text))
  })
  holds(t, property)
  t.ok(isDeepStrictEqual(described(), before))
})

t.test('drift is reported by paths without values', async (t) => {
  const property = fc.property(texts, (text) => {
    const { drift } = read(JSON.parse(text))
    const isPath = (line: string) => /^(unknown_field|wrong_type|unknown_value) [\w.()[\]]*$/.test(line)
    return drift.every(isPath) && canariesInText(drift.join('\n')).length === 0
  })
  holds(t, property)
})

/** The names of the fields of each object in a value, by path. `meta` is any JSON, and left out. */
function fieldsOf(value: unknown, path = ''): readonly (readonly [path: string, names: string])[] {
  if (typeof value !== 'object' || value === null || path === '.contact.meta') return []
  if (Array.isArray(value)) return value.flatMap((element) => fieldsOf(element, `${path}[]`))
  const inner = Object.entries(value).flatMap(([name, part]) => fieldsOf(part, `${path}.${name}`))
  return [[path, Object.keys(value).sort().join(' ')], ...inner]
}

t.test('a document always has the same fields, and only well-formed texts', async (t) => {
  const full = Object.keys(contracts).map((contract) => {
    const { document } = plantCanaries(contract as ContractName, requestedId, true)
    return new Map(fieldsOf(read(document).document))
  })
  const [fields = new Map()] = full
  t.ok(fields.size > 10)
  // The earlier contract does not say who changed the status.
  t.strictSame(new Map([...fields].filter(([path]) => path !== '.status_triggered_by')), full[1])

  const property = fc.property(texts, (text) => {
    const { document } = read(JSON.parse(text))
    if (document === null) return
    for (const [path, names] of fieldsOf(document))
      if (fields.get(path) !== names) throw new Error(`at ${path}: ${names}`)
    // The published part of `meta` is made well-formed by the presentation.
    const withoutMeta = { ...document, contact: document.contact && { ...document.contact, meta: null } }
    if (!isWellFormed(JSON.stringify(withoutMeta))) throw new Error('a lone surrogate')
  })
  holds(t, property)
})

/** Fields that are read because something is derived from them. They are not shown. */
const message = 'execution_steps[].messages[].message'
const readOnly = new Set([
  ...['content_type', 'direction', 'msg_type', 'source', 'status', 'from_number', 'to_number'].map(
    (name) => `${message}.${name}`,
  ),
  ...[`${message}.content_url`, `${message}.location.map_screenshot_url`, 'contact.phone'],
  ...['answer_options_render', 'body_file_url'].map((name) => `execution_steps[].step.${name}`),
])

t.test('only fields that may leave, or that something is derived from, are read', async (t) => {
  const mayLeave = mayEverLeave('transcript')
  const property = fc.property(hilosTexts, (text) => {
    const json: unknown = JSON.parse(text)
    const places = placesIn(json)
    for (const { canary } of canariesAt(read(json).document)) {
      const path = places.get(canary) ?? 'nowhere'
      const isExpected = mayLeave.has(path) || readOnly.has(path) || path.startsWith('contact.meta')
      if (!isExpected) throw new Error(`read from ${path}`)
    }
  })
  holds(t, property)
})
