import t from 'tap'
import { Secret } from '../../src/common/secret.ts'
import { createNames } from '../../src/tier/names.ts'

const keyOf = (byte: number) => new Secret(Buffer.alloc(32, byte).toString('base64'))
const names = createNames(keyOf(1))
const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
const [one, two] = ['b2c0f1de-0000-4000-8000-00000000000a', 'b2c0f1de-0000-4000-8000-00000000000b'] as const

t.test(
  'a name is the same with the same key, another with another key or use, and does not contain the text',
  async (t) => {
    const all = [names.contact(id), names.flow(id), names.place(new Set([id])), names.flow(null), names.flow('null')]
    for (const name of all) t.match(name, /^[\w-]{22}$/)
    t.equal(new Set(all).size, all.length)
    t.equal(createNames(keyOf(1)).contact(id), names.contact(id))
    t.not(createNames(keyOf(2)).contact(id), names.contact(id))
    t.match([names.revision(id), names.namespace([id])], [/^[\w-]{16}$/, /^[\w-]{8}$/])
    t.equal(names.contact(id), 'ZBMX459WugkSXGOjLGvPSi', 'the names that other versions find')
  },
)

t.test('readers of the same flows have one place, in whatever order, and those of all flows another', async (t) => {
  const place = names.place(new Set([one, two]))
  t.equal(names.place(new Set([two, one])), place)
  t.not(names.place(new Set([one])), place)
  t.not(names.place(new Set([`${one},${two}`])), place)
  t.not(names.place(new Set()), names.place(new Set([''])))
  t.equal(names.place(null), '*')
  const flows = new Set([one])
  t.equal(names.place(flows), names.place(flows), 'it is remembered for a set')
})

t.test('a namespace differs whenever one of its texts does', async (t) => {
  t.equal(names.namespace(['a', 'b']), names.namespace(['a', 'b']))
  for (const texts of [['ab'], ['a', 'c'], ['b', 'a'], ['a,b'], ['a', 'b', '']])
    t.not(names.namespace(texts), names.namespace(['a', 'b']))
})
