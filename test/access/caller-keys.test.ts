import t from 'tap'
import type { CallerEntry } from '../../src/access/caller-entry.ts'
import { createCallerKeys } from '../../src/access/caller-keys.ts'
import { createKey, keyHash } from '../../src/access/keys.ts'

function entryOf(key: string, name = 'support-web'): CallerEntry {
  return { name, keySha256: keyHash(key), profile: 'agent', flows: new Set(['f']) }
}

t.test('a key, when its hash is in the table, is its caller’s', async (t) => {
  const key = createKey()
  t.strictSame(createCallerKeys([entryOf(key)])(key), {
    name: 'support-web',
    kind: 'key',
    profile: 'agent',
    flows: new Set(['f']),
  })
})

t.test('many keys, in whatever order they are written, each open for their own caller', async (t) => {
  const keys = Array.from({ length: 300 }, createKey)
  const entries = keys.map((key, index) => entryOf(key, `caller-${index}`))
  for (const order of [entries, entries.toReversed()]) {
    const holderOf = createCallerKeys(order)
    t.strictSame(
      keys.map((key) => holderOf(key)?.name),
      entries.map(({ name }) => name),
    )
  }
})

t.test('what is no key of the table opens nothing', async (t) => {
  const key = createKey()
  const holderOf = createCallerKeys([entryOf(key)])
  const wrongEnd = key.endsWith('A') ? 'E' : 'A'
  for (const guess of [
    createKey(),
    `${key.slice(0, -1)}${wrongEnd}`,
    key.slice(0, -1),
    `${key}A`,
    ` ${key}`,
    key.toUpperCase(),
    keyHash(key),
    'hbff_',
    '',
  ]) {
    t.equal(holderOf(guess), null)
  }
  t.equal(createCallerKeys([])(key), null)
})

t.test('a word somebody made up, when its hash is in the table, opens nothing', async (t) => {
  for (const word of ['hbff_secret', 'secret', '']) t.equal(createCallerKeys([entryOf(word)])(word), null)
})

t.test(
  'the table, when a key is looked up, compares no stored hash: each table blinds them in its own way',
  async (t) => {
    const key = createKey()
    const tables = [createCallerKeys([entryOf(key)]), createCallerKeys([entryOf(key)])]
    const looked = t.capture(Map.prototype, 'get', Map.prototype.get)
    for (const holderOf of tables) holderOf(key)
    looked.restore()
    const names = looked().map(({ args: [name] }) => String(name))
    t.equal(new Set(names).size, tables.length)
    t.notOk(names.includes(keyHash(key)))
  },
)
