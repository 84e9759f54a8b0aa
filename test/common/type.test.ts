import t from 'tap'
import { Type as TypeBox } from 'typebox'
import { Type } from '../../src/common/type.ts'
import { checkRows, difference } from '../harness/table.ts'

t.test('a schema has the JSON that TypeBox gives it', async (t) => {
  const options = { $id: 'Example', description: 'What it is.', default: 'a' }
  const samplesOf = (builder: typeof Type): readonly (readonly [string, object])[] => [
    ...(['Boolean', 'Integer', 'Number', 'String'] as const).flatMap((name): [string, object][] => [
      [name, builder[name]()],
      [`${name} with options`, builder[name](options)],
    ]),
    ['Array', builder.Array(builder.String(), { maxItems: 3 })],
    ['Enum', builder.Enum(['a', 'b'], options)],
    ['Literal', builder.Literal('a', options)],
    ['Object', builder.Object({})],
    ['Object with properties', builder.Object({ b: builder.String(), a: builder.Optional(builder.Number()) }, options)],
    ['Object without a required property', builder.Object({ a: builder.Optional(builder.Number()) })],
    ['Record', builder.Record(builder.String(), builder.Number(), options)],
    ['Unsafe', builder.Unsafe({ type: 'string', examples: ['a'] })],
  ]
  const expected = samplesOf(TypeBox)
  const rows = samplesOf(Type).map(([name, schema], index) => [name, schema, expected[index]?.[1]] as const)
  // Text, because the order of the properties is that of the published document.
  checkRows(t, rows, ([, found, wanted]) => difference(JSON.stringify(found), JSON.stringify(wanted)), 'all are equal')
  const name = Type.String()
  Type.Optional(name)
  t.strictSame(Type.Object({ name }).required, ['name'], 'a schema can be optional in one place and needed in another')
})
