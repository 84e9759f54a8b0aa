import { hash } from 'node:crypto'
import t from 'tap'
import { createDocuments, documentIds } from '../../sandbox/documents.ts'
import { paceOf } from '../../src/contacts/lifetime.ts'
import { packContact, packedForm, unpackContact } from '../../src/contacts/packed-contact.ts'
import { sharedSchemas, TranscriptSchema } from '../../src/presentation/contact/execution-contact.ts'
import { checkRows } from '../harness/table.ts'
import { presented, render } from '../presentation/pipeline.ts'

const id = documentIds.completed
const names = { id, pseudonym: 'mine' }
const { contact, content } = presented(await createDocuments(0).get(id)?.(0), id)
const drift = [{ kind: 'unknown_field', path: 'execution_steps[].new', count: 2 }] as const
const stored = {
  id,
  revision: 'r',
  pseudonym: 'of another replica',
  content,
  flowId: contact.flow.id,
  pace: paceOf(contact),
  drift,
}
const packed = packContact(stored)

/** Bytes with another header, or other content. */
function packedWith(header: unknown, serialized: Buffer | string = content.serialized): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, Buffer.from(serialized)])
}

t.test('a contact is the same after it was packed and unpacked, but for the pseudonym', async (t) => {
  const unpacked = unpackContact(packed, names)
  t.strictSame(unpacked, { ...stored, pseudonym: 'mine' })
  t.notOk(packed.includes('of another replica'))
  t.not(unpacked?.content.serialized.buffer, packed.buffer, 'it does not keep what it was unpacked from')
  const [one, other] = [stored, { ...stored, content: unpacked?.content ?? content }].map((each) =>
    render(each.content, 'summary', 'viewer'),
  )
  t.strictSame(one, other)
})

const header = { revision: 'r', identity: content.identity, drift }

t.test('what is not a packed contact of this id is null, and nothing is thrown', async (t) => {
  const { identity } = content
  const text = content.serialized.toString()
  const { steps, ...withoutSteps } = JSON.parse(text)
  t.ok(unpackContact(packedWith(header), names), 'the rows differ from what unpacks in one thing')
  const longLength = Buffer.from(packed)
  longLength.writeUInt32BE(0xffffffff)
  const rows: readonly (readonly [string, Buffer])[] = [
    ...[0, 1, 3, 4, 5, 100, packed.length - 1].map((end) => [`cut at ${end}`, packed.subarray(0, end)] as const),
    ['a length beyond the end', longLength],
    ['something added', Buffer.concat([packed, Buffer.of(0x20)])],
    ...['', 'x', 'null', '[]', '7', '{}', '{"__proto__":{}}'].map(
      (each) => [`header ${each}`, packedWith(each)] as const,
    ),
    ...[
      ...['revision', 'identity', 'drift'].map((name) => ({ ...header, [name]: undefined })),
      ...[null, 7, ['r']].map((revision) => ({ ...header, revision })),
      ...[null, 'x', []].map((each) => ({ ...header, identity: each })),
      ...['numbers', 'addresses', 'lastNames', 'isComplete'].flatMap((name) =>
        [undefined, null, 'x', [7], {}].map((part) => ({ ...header, identity: { ...identity, [name]: part } })),
      ),
      ...[null, {}, [null], ['x'], [{}]].map((each) => ({ ...header, drift: each })),
      ...[{ kind: 7 }, { path: null }, { count: 1.5 }, { count: '1' }].map((part) => ({
        ...header,
        drift: [{ ...drift[0], ...part }],
      })),
    ].map((each) => [`header ${JSON.stringify(each)}`, packedWith(each)] as const),
    ...(
      [
        ['nothing', ''],
        ['null', 'null'],
        ['a list', '[]'],
        ['an empty object', '{}'],
        ['two values', `${text}${text}`],
        ['spaces', text.replace('{', '{ ')],
        ['another view', text.replace('"view":"transcript"', '"view":"timeline"')],
        ['a field in another place', text.replace('{', '{"steps":[],')],
        ['a field that the view does not have', text.replace(/\}$/, ',"more":1}')],
        ['another type', text.replace(/"terminal":\w+/, '"terminal":"yes"')],
        ['no steps', JSON.stringify(withoutSteps)],
        ['bytes that are not UTF-8', Buffer.concat([content.serialized.subarray(0, -2), Buffer.from('ff5d7d', 'hex')])],
        ['another id', text.replace(id, documentIds.ready)],
      ] as const
    ).map(([name, each]) => [name, packedWith(header, each)] as const),
  ]
  checkRows(t, rows, ([, bytes]) => (unpackContact(bytes, names) === null ? null : 'it unpacks'), 'each form')
  t.equal(unpackContact(packed, { ...names, id: documentIds.ready }), null)
})

t.test('the form has a number, which is raised when what is packed changes', async (t) => {
  const fields = (value: object): unknown =>
    Object.entries(value).map(([name, part]) =>
      typeof part === 'object' && part && !Array.isArray(part) ? [name, fields(part)] : name,
    )
  const length = packed.readUInt32BE(0)
  const packedFields = JSON.stringify(fields(JSON.parse(packed.subarray(4, 4 + length).toString())))
  t.equal(packedFields, '["revision",["identity",["numbers","addresses","lastNames","isComplete"]],"drift"]')
  t.equal(packedForm, hash('sha256', JSON.stringify([1, TranscriptSchema, sharedSchemas])))
})
