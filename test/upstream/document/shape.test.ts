import t, { type Test } from 'tap'
import * as shape from '../../../src/upstream/document/shape.ts'
import { checkRows, difference } from '../../harness/table.ts'

const { word, list, object, isObject, unreadable, ...plain } = shape
const { text, count, idOf } = plain
const colour = word('red\n green')
const person = object({ name: text, age: count }, 'shoe_size\n hat_size')

/** Fields of all kinds, by name. */
const fields = { ...plain, reference: plain.reference(person), texts: list(text), colour, person }
type Name = keyof typeof fields

/** The result of a field for a value, and its drift; `at` is the path of the field. */
function read(field: shape.Field<unknown>, value: unknown) {
  const drift: string[] = []
  const result = field('at')(value, (kind, path) => drift.push(`${kind} ${path}`))
  return { result, drift }
}

/** Checks the results of fields for values, all of them with this drift. */
function checkResults(t: Test, rows: readonly (readonly [Name, unknown, unknown])[], drift: readonly string[]): void {
  checkRows(
    t,
    rows,
    ([name, value, result]) => difference(read(fields[name], value), { result, drift }),
    `the result of each field, with ${drift.length} deviations`,
  )
}

const wordsOf = (words: string) => words.split(/\s+/)
const infinity = Number.POSITIVE_INFINITY
const noPerson = { name: null, age: null }

t.test('a value that fits is read without drift', async (t) => {
  const unchanged: Partial<Record<Name, readonly unknown[]>> = {
    text: ['María 🚚', 'nul \0, \u2028, \u202e'],
    flag: [true, false],
    count: [0, 1, 2 ** 53 - 1],
    latitude: [0, -0.5, 90, -90],
    longitude: [0, -99.1617, 180, -180],
    code: ['131047', ''],
    colour: ['red', 'green'],
    contactPoint: ['x', ' '],
    fileUrl: ['https://files.example/a'],
    scalar: ['yes', '', 0, -1.5, false, true],
    erasure: [true, false],
    anything: ['', 0, false, infinity],
    idOf: ['m1'],
    texts: [[]],
    person: [{ name: 'Ana', age: 7 }],
  }
  const noon = 1795341600000
  const changed: readonly [Name, unknown, unknown][] = [
    ['text', '\ud800', '\ufffd'],
    ...(['text', 'colour', 'contactPoint', 'fileUrl'] as const).map((name): [Name, unknown, unknown] => [
      name,
      '',
      null,
    ]),
    ...[0, false, {}, []].map((value): [Name, unknown, unknown] => ['fileUrl', value, '']),
    ['text', 'a\udc00b\ud83d', 'a\ufffdb\ufffd'],
    ['code', 131047, '131047'],
    ['code', 0, '0'],
    ['code', '\ud800', '\ufffd'],
    ['instant', '1970-01-01T00:00:00Z', 0],
    ['instant', '0000-01-01T00:00:00Z', -62167219200000],
    ['instant', '9999-12-31T23:59:59.999Z', 253402300799999],
    ['instant', '0001-01-01 00:00:00Z', -62135596800000],
    ['instant', '2024-02-29T00:00:00Z', 1709164800000],
    ['instant', '1969-12-31T23:59:59Z', -1000],
    ['instant', '2026-11-22T10:00:00Z', noon],
    ['instant', '2026-11-22t10:00:00z', noon],
    ['instant', '2026-11-22 10:00:00Z', noon],
    ['instant', '2026-11-22T04:00:00-06:00', noon],
    ['instant', '2026-11-22T15:30:00+05:30', noon],
    ['instant', '2026-11-22T10:00:00.1Z', noon + 100],
    ['instant', '2026-11-22T10:00:00.123456789Z', noon + 123],
    ['scalar', '\ud800', '\ufffd'],
    ...[infinity, { a: 1 }, [1]].map((value): [Name, unknown, unknown] => ['scalar', value, null]),
    ['presence', '', false],
    ...['https://files.example', 0, false, {}, []].map((value): [Name, unknown, unknown] => ['presence', value, true]),
    ['idOf', { id: 'm1', body: 'x' }, 'm1'],
    ['idOf', {}, null],
    ['idOf', { id: null }, null],
    ['reference', 'p1', { id: 'p1', object: null }],
    ['reference', { name: 'Ana', shoe_size: 1 }, { id: null, object: { name: 'Ana', age: null } }],
    ['length', [], 0],
    ['length', [null, 1], 2],
    ['texts', ['a', null, 'b', undefined], ['a', 'b']],
    ['person', {}, noPerson],
    ['person', { age: 7, shoe_size: {}, hat_size: [] }, { name: null, age: 7 }],
  ]
  const same = Object.entries(unchanged).flatMap(([name, values]) =>
    values.map((value): [Name, unknown, unknown] => [name as Name, value, value]),
  )
  checkResults(t, [...same, ...changed], [])
})

/** The result of a field without a value; null for all others. */
const nothing: Partial<Record<Name, unknown>> = {
  presence: false,
  erasure: false,
  length: 0,
  reference: { id: null, object: null },
}

t.test('a value that is missing or null is nothing, without drift', async (t) => {
  const names = Object.keys(fields) as Name[]
  const rows = names.flatMap((name) =>
    [null, undefined].map((value) => [name, value, name === 'anything' ? value : (nothing[name] ?? null)] as const),
  )
  checkResults(t, rows, [])
})

t.test('a value of the wrong type is nothing and reported, and erases if it is a flag that erases', async (t) => {
  const misfits: Partial<Record<Name, readonly unknown[]>> = {
    text: [0, 1, true, false, [], {}, ['a']],
    flag: ['true', '', 0, 1, [], {}],
    count: [-1, 1.5, 2 ** 53, infinity, -infinity, Number.NaN, '1', '', true, [], {}, [1]],
    latitude: [90.0001, -90.0001, infinity, -infinity, Number.NaN, '1', '', true, [], {}],
    longitude: [180.0001, -180.0001, infinity, -infinity, Number.NaN, '1', '', true, [], {}],
    code: [-1, 1.5, infinity, true, [], {}],
    instant: [
      ...wordsOf(
        `yesterday 2026-11-22 2026-11-22T10:00:00 2026-11-22T10:00Z 2026-11-22T10:00:00.Z
         2026-11-22T10:00:00.1234567890Z 2026-11-22T10:00:00+0530 0000-01-01T00:00:00+00:01 9999-12-31T23:59:59-01:00
         2026-02-29T10:00:00Z 2026-04-31T10:00:00Z 2026-11-22T10:00:00+24:00 2026-11-22T10:00:00+05:60
         2026-13-22T10:00:00Z 0011-14-14T10:00:00Z 0001-13-13T10:00:00Z 2026-00-22T10:00:00Z 2026-11-00T10:00:00Z
         2026-11-32T10:00:00Z 2026-11-22T24:00:00Z 2026-11-22T25:00:00Z 2026-11-22T10:60:00Z
         2026-11-22T23:59:60Z +002026-11-22T10:00:00Z`,
      ),
      '',
      ' 2026-11-22T10:00:00Z',
      '2026-11-22T10:00:00Z ',
      '2026-11-22T10:00:00Z\n',
      '2026-11-22 10:00:00Z (noon)',
      1795341600000,
      true,
      [],
      {},
      ['2026-11-22T10:00:00Z'],
    ],
    colour: [0, true, [], {}, ['red']],
    erasure: ['false', '', 0, 1, [], {}],
    idOf: [0, true, [], ['m1']],
    reference: [0, true, []],
    length: ['ab', 2, true, {}, { length: 2 }],
    texts: ['ab', 2, true, {}, { length: 2 }],
    contactPoint: [true, false, -1, 1.5, infinity, [], {}],
    person: ['', 'x', 0, true, [], [{ name: 'Ana' }]],
  }
  const inDoubt: Partial<Record<Name, unknown>> = { ...nothing, erasure: true, contactPoint: unreadable }
  const rows = Object.entries(misfits).flatMap(([name, values]) =>
    values.map((value) => [name as Name, value, inDoubt[name as Name] ?? null] as const),
  )
  checkResults(t, [...rows, ['contactPoint', 5215512344433, '5215512344433']], ['wrong_type at'])
})

t.test('a word that is not published is passed on and reported without a quotation', async (t) => {
  const words = ['blue', 'RED', 'red ', '\ufffd']
  checkResults(
    t,
    words.map((value) => ['colour', value, value]),
    ['unknown_value at'],
  )
})

t.test('a part that does not fit is reported by its own path and leaves the rest as it is', async (t) => {
  const table: readonly (readonly [shape.Field<unknown>, unknown, unknown, readonly string[]])[] = [
    [idOf, { id: 7 }, null, ['wrong_type at.id']],
    [
      fields.reference,
      { id: 7, name: 7 },
      { id: null, object: noPerson },
      ['wrong_type at.id', 'unknown_field at.id', 'wrong_type at.name'],
    ],
    [fields.texts, ['a', 7, 'b', {}], ['a', 'b'], ['wrong_type at[]', 'wrong_type at[]']],
    [
      list(person),
      [{ name: 7, age: 7 }, 'x', { nose: 1 }],
      [{ name: null, age: 7 }, noPerson],
      ['wrong_type at[].name', 'wrong_type at[]', 'unknown_field at[].nose'],
    ],
    [
      object({ person, colour }),
      { person: { age: -1 }, colour: 'blue' },
      { person: noPerson, colour: 'blue' },
      ['wrong_type at.person.age', 'unknown_value at.colour'],
    ],
    [object({ a: text }), { '': 1 }, { a: null }, ['unknown_field at.(unprintable)']],
  ]
  for (const [field, value, result, drift] of table) t.strictSame(read(field, value), { result, drift })
  const drift: string[] = []
  person('')({ name: 7, nose: 1 }, (kind, path) => drift.push(`${kind} ${path}`))
  t.strictSame(drift, ['unknown_field nose', 'wrong_type name'], 'without a leading dot at the root')
})

t.test('unknown names are drift in every object, whatever the names of the objects before it', async (t) => {
  const drift: string[] = []
  const readPerson = person('')
  const objects = [
    'name age',
    'name age',
    'age name',
    'nose name age',
    'name nose age',
    'age name nose',
    'ear nose',
    'name',
    '',
  ]
  for (const names of [...objects, ...objects.toReversed(), ...objects])
    readPerson(Object.fromEntries(names.split(' ').map((name) => [name, null])), (_kind, path) => drift.push(path))
  const unknown = (names: string) => names.split(' ').filter((name) => !['name', 'age'].includes(name))
  const expected = [...objects, ...objects.toReversed(), ...objects].flatMap(unknown)
  t.strictSame(
    drift,
    expected.map((name) => name || '(unprintable)'),
  )
})

t.test('an unknown name is printed only if it cannot be data', async (t) => {
  const printable = wordsOf(`nose next_2 constructor line_12_of_34 ${'a'.repeat(32)}`)
  const data = `order_123 c0ffee6f1d2a4b8e9c3d5f7a0b1c2d3e4f5a6b7c Nose 2nd _nose maria@example.mx toString hasOwnProperty
    __proto__ ${'a'.repeat(33)}`
  checkRows(
    t,
    [...printable, ...wordsOf(data), 'nose\n', ''],
    (name) => {
      const drift = [`unknown_field at.${printable.includes(name) ? name : '(unprintable)'}`]
      const value: unknown = JSON.parse(`{${JSON.stringify(name)}:{"name":"Ana"}}`)
      return difference(read(person, value), { result: noPerson, drift })
    },
    'the name in the path',
  )
})

t.test('isObject is false for null and arrays', async (t) => {
  for (const value of [{}, { a: 1 }]) t.equal(isObject(value), true)
  for (const value of [null, undefined, [], 'x', 1, true]) t.equal(isObject(value), false)
})
