import t from 'tap'
import {
  anything,
  code,
  count,
  decimal,
  erasure,
  type Field,
  flag,
  idOf,
  instant,
  isObject,
  length,
  list,
  object,
  presence,
  reference,
  scalar,
  text,
  word,
} from '../../../src/upstream/document/shape.ts'

/** What a field makes of a value, and what it reports; `at` is where it stands. */
function read<T>(field: Field<T>, value: unknown) {
  const drift: string[] = []
  const result = field('at')(value, (kind, path) => drift.push(`${kind} ${path}`))
  return { result, drift }
}

type Row = readonly [value: unknown, result: unknown]
const colour = word('red\n green')
const person = object({ name: text, age: count }, 'shoe_size\n hat_size')

const fitting: readonly (readonly [string, Field<unknown>, readonly Row[]])[] = [
  [
    'text',
    text,
    [
      ['', ''],
      ['María 🚚', 'María 🚚'],
      ['nul \0, \u2028, \u202e', 'nul \0, \u2028, \u202e'],
      ['\ud800', '\ufffd'],
      ['a\udc00b\ud83d', 'a\ufffdb\ufffd'],
    ],
  ],
  [
    'flag',
    flag,
    [
      [true, true],
      [false, false],
    ],
  ],
  [
    'count',
    count,
    [
      [0, 0],
      [1, 1],
      [2 ** 53 - 1, 2 ** 53 - 1],
    ],
  ],
  [
    'decimal',
    decimal,
    [
      [0, 0],
      [-99.1617, -99.1617],
      [1e308, 1e308],
    ],
  ],
  [
    'code',
    code,
    [
      ['131047', '131047'],
      ['', ''],
      [131047, '131047'],
      [0, '0'],
      ['\ud800', '\ufffd'],
    ],
  ],
  [
    'instant',
    instant,
    [
      ['1970-01-01T00:00:00Z', 0],
      ['0000-01-01T00:00:00Z', -62167219200000],
      ['9999-12-31T23:59:59.999Z', 253402300799999],
      ['0001-01-01 00:00:00Z', -62135596800000],
      ['2024-02-29T00:00:00Z', 1709164800000],
      ['1969-12-31T23:59:59Z', -1000],
      ['2026-11-22T10:00:00Z', 1795341600000],
      ['2026-11-22t10:00:00z', 1795341600000],
      ['2026-11-22 10:00:00Z', 1795341600000],
      ['2026-11-22T04:00:00-06:00', 1795341600000],
      ['2026-11-22T15:30:00+05:30', 1795341600000],
      ['2026-11-22T10:00:00.1Z', 1795341600100],
      ['2026-11-22T10:00:00.123456789Z', 1795341600123],
    ],
  ],
  [
    'word',
    colour,
    [
      ['red', 'red'],
      ['green', 'green'],
      ['', ''],
    ],
  ],
  [
    'scalar',
    scalar,
    [
      ['yes', 'yes'],
      ['\ud800', '\ufffd'],
      ['', ''],
      [0, 0],
      [-1.5, -1.5],
      [false, false],
      [true, true],
      [Number.POSITIVE_INFINITY, null],
      [{ a: 1 }, null],
      [[1], null],
    ],
  ],
  [
    'presence',
    presence,
    [
      ['https://files.example', true],
      ['', false],
      [0, true],
      [false, true],
      [{}, true],
      [[], true],
    ],
  ],
  [
    'erasure',
    erasure,
    [
      [true, true],
      [false, false],
    ],
  ],
  ['anything', anything, [...['', 0, false, Number.POSITIVE_INFINITY].map((value) => [value, value] as const)]],
  [
    'idOf',
    idOf,
    [
      ['m1', 'm1'],
      [{ id: 'm1', body: 'x' }, 'm1'],
      [{}, null],
      [{ id: null }, null],
    ],
  ],
  [
    'reference',
    reference(person),
    [
      ['p1', { id: 'p1', object: null }],
      [
        { name: 'Ana', shoe_size: 1 },
        { id: null, object: { name: 'Ana', age: null } },
      ],
    ],
  ],
  [
    'length',
    length,
    [
      [[], 0],
      [[null, 1], 2],
    ],
  ],
  [
    'list',
    list(text),
    [
      [[], []],
      [
        ['a', null, 'b', undefined],
        ['a', 'b'],
      ],
    ],
  ],
  [
    'object',
    person,
    [
      [{}, { name: null, age: null }],
      [
        { name: 'Ana', age: 7 },
        { name: 'Ana', age: 7 },
      ],
      [
        { age: 7, shoe_size: {}, hat_size: [] },
        { name: null, age: 7 },
      ],
    ],
  ],
]

for (const [name, field, rows] of fitting)
  t.test(`${name}, when the value fits, reads it and reports nothing`, async (t) => {
    for (const [value, result] of rows) t.strictSame(read(field, value), { result, drift: [] })
  })

const nothing = { presence: false, erasure: false, length: 0, reference: { id: null, object: null } }
for (const [name, field] of fitting)
  t.test(`${name}, when the value is missing or null, is nothing and reports nothing`, async (t) => {
    t.strictSame(read(field, null), { result: name === 'anything' ? null : nothingOf(name), drift: [] })
    t.strictSame(read(field, undefined), { result: name === 'anything' ? undefined : nothingOf(name), drift: [] })
  })

function nothingOf(name: string): unknown {
  return Object.hasOwn(nothing, name) ? nothing[name as keyof typeof nothing] : null
}

const infinity = Number.POSITIVE_INFINITY
const misfits: readonly (readonly [string, Field<unknown>, readonly unknown[], unknown?])[] = [
  ['text', text, [0, 1, true, false, [], {}, ['a']]],
  ['flag', flag, ['true', '', 0, 1, [], {}]],
  ['count', count, [-1, 1.5, 2 ** 53, infinity, -infinity, Number.NaN, '1', '', true, [], {}, [1]]],
  ['decimal', decimal, [infinity, -infinity, Number.NaN, '1', '', true, [], {}]],
  ['code', code, [-1, 1.5, infinity, true, [], {}]],
  [
    'instant',
    instant,
    [
      '',
      'yesterday',
      '2026-11-22',
      '2026-11-22T10:00:00',
      '2026-11-22T10:00Z',
      '2026-11-22T10:00:00.Z',
      '2026-11-22T10:00:00.1234567890Z',
      '2026-11-22T10:00:00+0530',
      '0000-01-01T00:00:00+00:01',
      '9999-12-31T23:59:59-01:00',
      '2026-02-29T10:00:00Z',
      '2026-04-31T10:00:00Z',
      '2026-11-22T10:00:00+24:00',
      '2026-11-22T10:00:00+05:60',
      '2026-13-22T10:00:00Z',
      '2026-11-32T10:00:00Z',
      '2026-11-22T24:00:00Z',
      '2026-11-22T25:00:00Z',
      '2026-11-22T10:60:00Z',
      '2026-11-22T23:59:60Z',
      '+002026-11-22T10:00:00Z',
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
  ],
  ['word', colour, [0, true, [], {}, ['red']]],
  ['erasure', erasure, ['false', '', 0, 1, [], {}], true],
  ['idOf', idOf, [0, true, [], ['m1']]],
  ['reference', reference(person), [0, true, []], nothing.reference],
  ['length', length, ['ab', 2, true, {}, { length: 2 }], 0],
  ['list', list(text), ['ab', 2, true, {}, { length: 2 }]],
  ['object', person, ['', 'x', 0, true, [], [{ name: 'Ana' }]]],
]

for (const [name, field, values, result = null] of misfits)
  t.test(`${name}, when the value has the wrong type, is ${JSON.stringify(result)} and reported`, async (t) => {
    for (const value of values) t.strictSame(read(field, value), { result, drift: ['wrong_type at'] }, String(value))
  })

t.test('a word, when it is not published, is passed on and reported, without being quoted', async (t) => {
  for (const value of ['blue', 'RED', 'red ', '\ufffd'])
    t.strictSame(read(colour, value), { result: value, drift: ['unknown_value at'] })
})

t.test('what lies inside, when it does not fit, is reported where it lies and leaves the rest alone', async (t) => {
  const table: readonly (readonly [Field<unknown>, unknown, unknown, readonly string[]])[] = [
    [idOf, { id: 7 }, null, ['wrong_type at.id']],
    [
      reference(person),
      { id: 7, name: 7 },
      { id: null, object: { name: null, age: null } },
      ['wrong_type at.id', 'unknown_field at.id', 'wrong_type at.name'],
    ],
    [list(text), ['a', 7, 'b', {}], ['a', 'b'], ['wrong_type at[]', 'wrong_type at[]']],
    [
      list(person),
      [{ name: 7, age: 7 }, 'x', { nose: 1 }],
      [
        { name: null, age: 7 },
        { name: null, age: null },
      ],
      ['wrong_type at[].name', 'wrong_type at[]', 'unknown_field at[].nose'],
    ],
    [
      object({ person, colour }),
      { person: { age: -1 }, colour: 'blue' },
      { person: { name: null, age: null }, colour: 'blue' },
      ['wrong_type at.person.age', 'unknown_value at.colour'],
    ],
  ]
  for (const [field, value, result, drift] of table) t.strictSame(read(field, value), { result, drift })
})

t.test('a name nobody announced, when it could be data, is not printed', async (t) => {
  const table = [
    ['nose', 'nose'],
    ['next_2', 'next_2'],
    ['constructor', 'constructor'],
    ['a'.repeat(32), 'a'.repeat(32)],
    ['a'.repeat(33), '(unprintable)'],
    ['line_12_of_34', 'line_12_of_34'],
    ['order_123', '(unprintable)'],
    ['c0ffee6f1d2a4b8e9c3d5f7a0b1c2d3e4f5a6b7c', '(unprintable)'],
    ['Nose', '(unprintable)'],
    ['2nd', '(unprintable)'],
    ['_nose', '(unprintable)'],
    ['maria@example.mx', '(unprintable)'],
    ['nose\n', '(unprintable)'],
    ['toString', '(unprintable)'],
    ['hasOwnProperty', '(unprintable)'],
    ['__proto__', '(unprintable)'],
    ['', '(unprintable)'],
  ] as const
  for (const [name, printed] of table) {
    const { result, drift } = read(person, JSON.parse(`{${JSON.stringify(name)}:{"name":"Ana"}}`))
    t.strictSame(result, { name: null, age: null })
    t.strictSame(drift, [`unknown_field at.${printed}`])
  }
})

t.test('an object at the root, when something in it strays, is reported without a leading dot', async (t) => {
  const drift: string[] = []
  person('')({ name: 7, nose: 1 }, (kind, path) => drift.push(`${kind} ${path}`))
  t.strictSame(drift, ['unknown_field nose', 'wrong_type name'])
})

t.test('isObject, when asked, says yes to neither null nor an array', async (t) => {
  for (const value of [{}, { a: 1 }]) t.equal(isObject(value), true)
  for (const value of [null, undefined, [], 'x', 1, true]) t.equal(isObject(value), false)
})

t.test('an object, when a name is empty and none is known, reports it as unprintable', async (t) => {
  t.strictSame(read(object({ a: text }), { '': 1 }).drift, ['unknown_field at.(unprintable)'])
})
