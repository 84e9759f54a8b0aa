import { createHash, randomBytes } from 'node:crypto'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { type Profile, profiles } from '../../../src/access/profile.ts'
import { exampleContact } from '../../../src/presentation/contact/example.ts'
import type { ExecutionContact } from '../../../src/presentation/contact/execution-contact.ts'
import {
  type ContentCoding,
  compress,
  contentCodings,
  worthCompressingBytes,
} from '../../../src/presentation/views/content-coding.ts'
import { createRenderedViews, type RenderedViewsOptions } from '../../../src/presentation/views/rendered-views.ts'
import {
  type Content,
  type Representation,
  serializeContact,
  type View,
  views,
} from '../../../src/presentation/views/view.ts'
import { checkRowsInTurn, difference } from '../../harness/table.ts'
import { noIdentity, render } from '../pipeline.ts'

/** Counted for each representation in addition to its body. */
const overheadBytes = 512
const compressions = ['gzip', 'br'] as const

const contentOf = (contact: ExecutionContact): Content => ({
  serialized: serializeContact(contact),
  identity: noIdentity,
})
const contentWith = (reason: string) => contentOf({ ...exampleContact, reason })

/** Rendered views, and the stored contacts that they belong to. */
function start(maxBytes = 1_000_000, renderOne: RenderedViewsOptions['render'] = render) {
  const stored = new Map<string, Content>()
  const rendered = createRenderedViews({
    maxBytes,
    isStored: (id, content) => stored.get(id) === content,
    render: renderOne,
  })
  const get = (id: string, content: Content, view: View, coding: ContentCoding, profile: Profile = 'full') =>
    rendered.get(id, content, { view, profile, coding })
  return {
    ...rendered,
    stored,
    store: (id: string, content = contentWith(id)) => {
      stored.set(id, content)
      return content
    },
    get,
    /** The timeline in every coding. */
    getAll: (id: string, content: Content) =>
      Promise.all(contentCodings.map((coding) => get(id, content, 'timeline', coding))),
  }
}

const decoders = { gzip: gunzipSync, br: brotliDecompressSync, identity: (body: Buffer) => body }
const decoded = ({ body, coding }: Representation): Buffer => decoders[coding](body)
const reasonIn = (representation: Representation) => JSON.parse(decoded(representation).toString()).reason

t.test('each view in each coding for each profile is rendered once, under an ETag of its own', async (t) => {
  const variants = views.flatMap((view) =>
    profiles.flatMap((profile) => contentCodings.map((coding) => ({ view, profile, coding }))),
  )
  // Even the smallest view is worth compressing.
  const flowWith = (bytes: number) => ({ ...exampleContact.flow, name: 'x'.repeat(bytes) })
  const known = { ...exampleContact, flow: flowWith(worthCompressingBytes) }
  const unknown = { ...exampleContact.contact, name: null, phone: null, email: null, id: null }
  const bare = { ...known, flow: flowWith(100_000), reason: null, answers: [], messages: [], contact: unknown }
  for (const [contact, etags] of [
    [known, 27],
    // The profiles agent and viewer see the same.
    [bare, 18],
  ] as const) {
    const { get, store } = start()
    const content = store('a', contentOf(contact))
    const all: Representation[] = []
    const check = async ({ view, profile, coding }: (typeof variants)[number]) => {
      const plain = render(content, view, profile)
      const representation = await get('a', content, view, coding, profile)
      all.push(representation)
      const { body } = representation
      const facts = {
        hasBytes: decoded(representation).equals(plain.body),
        isSmaller: body.length < plain.body.length,
        ownsMemory: body.buffer.byteLength === body.length,
        isContact: body === content.serialized,
      }
      const isPlain = coding === 'identity'
      const etag = isPlain ? plain.etag : plain.etag.replace(/"$/, `-${coding}"`)
      const isContact = view === 'transcript' && profile === 'full' && isPlain
      return difference(
        { ...representation, body: facts },
        { ...plain, coding, etag, body: { hasBytes: true, isSmaller: !isPlain, ownsMemory: true, isContact } },
      )
    }
    await checkRowsInTurn(t, variants, check, 'every variant')
    const again = variants.map(({ view, profile, coding }) => get('a', content, view, coding, profile))
    const isKept = again.every((representation, index) => representation === all[index])
    t.ok(isKept, 'each is kept and returned at once')
    for (const a of all) for (const b of all) if ((a.etag === b.etag) !== a.body.equals(b.body)) t.fail(a.etag)
    t.strictSame([new Set(all).size, new Set(all.map(({ etag }) => etag)).size], [27, etags])
  }
})

t.test('a new revision replaces everything that was rendered of the old one', async (t) => {
  const { get, getAll, store } = start()
  const old = store('a')
  const before = await getAll('a', old)
  const content = store('a', { ...old })
  const summary = await get('a', content, 'summary', 'gzip')
  t.equal(get('a', content, 'summary', 'gzip'), summary)
  t.not(await get('a', content, 'timeline', 'gzip'), before[1], 'equal bytes in another object are a new revision')
  const after = await getAll('a', old)
  for (const [index, representation] of after.entries()) t.not(representation, before[index], representation.coding)
})

t.test('an old revision is rendered, and does not replace the new one', async (t) => {
  const { get, store } = start()
  const old = store('a', contentWith('old'))
  const compressing = get('a', old, 'timeline', 'gzip')
  const content = store('a', contentWith('new'))
  const plain = get('a', content, 'timeline', 'identity')
  t.equal(reasonIn(await compressing), 'old')
  t.equal(get('a', content, 'timeline', 'identity'), plain, 'even if its compression ends late')
  for (const coding of contentCodings) {
    const current = await get('a', content, 'timeline', coding)
    t.equal(reasonIn(await get('a', old, 'timeline', coding)), 'old')
    t.equal(get('a', content, 'timeline', coding), current, coding)
  }
})

t.test('a deleted contact is forgotten for every profile in every coding, and no other is', async (t) => {
  const { get, store, delete: forget } = start()
  const [a, b] = [store('a'), store('b')]
  const ofB = await get('b', b, 'timeline', 'gzip')
  for (const profile of profiles) {
    for (const coding of contentCodings) {
      const before = await get('a', a, 'timeline', coding, profile)
      forget('a')
      forget('unknown')
      t.not(await get('a', a, 'timeline', coding, profile), before, `${coding} for ${profile}`)
    }
  }
  t.equal(get('b', b, 'timeline', 'gzip'), ofB)
})

t.test('a contact that is not stored is rendered but not kept', async (t) => {
  const { getAll } = start()
  const content = contentWith('a')
  const [first, second] = [await getAll('a', content), await getAll('a', content)]
  t.strictSame(second, first)
  for (const [index, representation] of second.entries()) t.not(representation, first[index], representation.coding)
})

t.test('a contact that is deleted during a compression is not kept', async (t) => {
  const { get, store, stored, delete: forget } = start()
  const content = store('a')
  for (const coding of compressions) {
    const compressing = get('a', content, 'timeline', coding)
    stored.delete('a')
    forget('a')
    const late = await compressing
    t.equal(late.coding, coding)
    store('a', content)
    t.not(await get('a', content, 'timeline', coding), late, coding)
    forget('a')
  }
})

t.test('concurrent callers share one compression per view, profile and coding', async (t) => {
  const { get, store } = start()
  const content = store('a')
  const variants = [
    ['timeline', 'gzip', 'full'],
    ['timeline', 'br', 'full'],
    ['transcript', 'gzip', 'full'],
    ['timeline', 'gzip', 'agent'],
    ['timeline', 'gzip', 'viewer'],
  ] as const
  const requests = Array.from({ length: 100 }, () => variants).flat()
  const results = new Map<Representation, string>()
  const isKept = requests.map(async ([view, coding, profile]) => {
    const representation = await get('a', content, view, coding, profile)
    results.set(representation, `${representation.view},${representation.coding},${representation.profile}`)
    return get('a', content, view, coding, profile) === representation
  })
  t.ok((await Promise.all(isKept)).every(Boolean), 'each caller finds the representation kept')
  t.strictSame([...results.values()].sort(), variants.map((variant) => variant.join()).sort())
})

t.test('a body that is one byte too small to be worth compressing stays plain', async (t) => {
  const { get, store } = start()
  const emptyLength = Buffer.byteLength(JSON.stringify({ terminal: false, text: '' }))
  for (const bytes of [worthCompressingBytes - 1, worthCompressingBytes, worthCompressingBytes + 1]) {
    const text = 'x'.repeat(bytes - emptyLength)
    const content = store('a', {
      serialized: Buffer.from(JSON.stringify({ terminal: false, text })),
      identity: noIdentity,
    })
    const plain = get('a', content, 'transcript', 'identity')
    for (const coding of compressions) {
      const representation = get('a', content, 'transcript', coding)
      const isSmall = bytes < worthCompressingBytes
      t.equal((await representation).coding, isSmall ? 'identity' : coding, `${bytes} bytes in ${coding}`)
      if (isSmall) t.equal(representation, plain, 'the same, and at once')
    }
  }
})

/** JSON that is nearly noise, of the smallest size worth compressing. Brotli saves this many bytes, and gzip adds some. */
async function noiseThatShrinksBy(bytes: number): Promise<Buffer> {
  for (let seed = 0; ; seed += 1) {
    const hashes = Array.from({ length: 64 }, (_, index) => createHash('sha256').update(`${seed} ${index}`).digest())
    const noise = Buffer.concat(hashes).filter((byte) => byte >= 0x20 && !'"\\'.includes(String.fromCharCode(byte)))
    const json = Buffer.concat([Buffer.from('"'), noise.subarray(0, worthCompressingBytes - 2), Buffer.from('"')])
    if ((await compress(json, 'br')).length === json.length - bytes) return json
  }
}

t.test('a body that compression does not make smaller stays plain', async (t) => {
  const { get, store } = start()
  for (const [bytes, coding, expected] of [
    [1, 'br', 'br'],
    [0, 'br', 'identity'],
    [-1, 'br', 'identity'],
    [0, 'gzip', 'identity'],
  ] as const) {
    const content = store('a', { serialized: await noiseThatShrinksBy(bytes), identity: noIdentity })
    const plain = get('a', content, 'transcript', 'identity')
    const representation = await get('a', content, 'transcript', coding)
    t.equal(representation.coding, expected, `${coding} of a body that brotli makes ${bytes} bytes smaller`)
    t.equal(representation === plain, expected === 'identity')
  }
})

t.test('each body is counted once to the byte, and that of the contact not at all', async (t) => {
  const inAllCodings = (view: View) => contentCodings.toReversed().map((coding) => [view, coding] as const)
  const tables: readonly (readonly (readonly [View, ContentCoding])[])[] = [
    [['transcript', 'identity']],
    ...inAllCodings('timeline').map((variant) => [['timeline', 'identity'] as const, variant]),
    views.flatMap(inAllCodings),
  ]
  for (const variants of tables) {
    const { get, store, usage } = start()
    const content = store('a')
    const rendered: Representation[] = []
    for (const [view, coding] of variants) rendered.push(await get('a', content, view, coding))
    const bodies = [...new Set(rendered)].map(
      ({ body }) => overheadBytes + (body === content.serialized ? 0 : body.length),
    )
    const bytes = bodies.reduce((sum, each) => sum + each)
    t.equal(usage().bytes, bytes)
    for (const maxBytes of [bytes, bytes - 1]) {
      const limited = start(maxBytes)
      limited.store('a', content)
      for (const [view, coding] of variants) await limited.get('a', content, view, coding)
      t.equal(limited.usage().bytes === bytes, maxBytes === bytes, `${variants.join(' ')} in ${maxBytes} bytes`)
    }
  }
})

t.test('a full budget evicts the contact that was requested least recently', async (t) => {
  const bytes = overheadBytes + render(contentWith('a'), 'timeline', 'full').body.length
  const { get, store } = start(2 * bytes)
  const [a, b, c] = [store('a'), store('b'), store('c')]
  const [ofA, ofB] = [get('a', a, 'timeline', 'identity'), get('b', b, 'timeline', 'identity')]
  t.equal(get('a', a, 'timeline', 'identity'), ofA, 'both fit')
  const ofC = get('c', c, 'timeline', 'identity')
  t.equal(get('a', a, 'timeline', 'identity'), ofA)
  t.equal(get('c', c, 'timeline', 'identity'), ofC)
  t.not(get('b', b, 'timeline', 'identity'), ofB)
  const compressed = await get('b', b, 'timeline', 'gzip')
  t.equal(get('b', b, 'timeline', 'gzip'), compressed)
  t.not(get('c', c, 'timeline', 'identity'), ofC, 'a contact with two representations counts for more')
})

t.test('a failed compression fails for all who wait for it, and is tried again', async (t) => {
  const { get, store } = start()
  const content = store('a')
  const compress = () => get('a', content, 'transcript', 'br')
  await get('a', content, 'transcript', 'identity')
  // A length that brotli does not accept.
  Object.defineProperty(content.serialized, 'length', { value: 2000n, configurable: true })
  const both = [compress(), compress()]
  t.equal(both[0], both[1], 'one compression')
  t.equal((await Promise.allSettled(both)).map(({ status }) => status).join(), 'rejected,rejected')
  Reflect.deleteProperty(content.serialized, 'length')
  t.match(await compress(), { coding: 'br' })
})

t.test('a view larger than the budget is rendered, and neither kept nor evicts another', async (t) => {
  const small = contentWith('a')
  const large = contentWith(randomBytes(10_000).toString('base64'))
  const { get, getAll, store } = start(overheadBytes + render(small, 'timeline', 'full').body.length)
  store('a', small)
  store('large', large)
  const ofSmall = get('a', small, 'timeline', 'identity')
  const plain = render(large, 'timeline', 'full').body
  const [first, second] = [await getAll('large', large), await getAll('large', large)]
  for (const [index, representation] of first.entries()) {
    t.ok(decoded(representation).equals(plain), representation.coding)
    t.not(second[index], representation)
  }
  t.equal(get('a', small, 'timeline', 'identity'), ofSmall)
})

t.test('the usage has the number of contacts, their bytes and the evictions', async (t) => {
  const { get, store, usage, delete: forget } = start(40_000)
  const empty = { entries: 0, bytes: 0, maxBytes: 40_000, evictions: 0 }
  t.strictSame(usage(), empty)
  const { body } = await get('a', store('a'), 'summary', 'identity')
  t.strictSame(usage(), { ...empty, entries: 1, bytes: overheadBytes + body.length })
  forget('a')
  t.strictSame(usage(), empty)
  for (let each = 0; each < 200; each += 1) await get(`${each}`, store(`${each}`), 'summary', 'identity')
  const { entries, evictions } = usage()
  t.equal(entries + evictions, 200)
  t.ok(evictions > 0)
})

t.test('a large contact is rendered once for all requests that arrive meanwhile, and then kept', async (t) => {
  const renderings: string[] = []
  const { get, store } = start(undefined, async (content, view, profile) => {
    renderings.push(`${view} ${profile}`)
    return render(content, view, profile)
  })
  const content = store('a')
  const requests = contentCodings.flatMap((coding) => [
    get('a', content, 'timeline', coding),
    get('a', content, 'timeline', coding),
  ])
  t.ok(requests.every((request) => request instanceof Promise))
  const other = get('a', content, 'summary', 'identity', 'agent')
  const representations = await Promise.all(requests)
  t.strictSame(
    representations.map(({ coding }) => coding),
    ['br', 'br', 'gzip', 'gzip', 'identity', 'identity'],
  )
  t.equal(new Set(representations).size, 3)
  t.strictSame([(await other).view, renderings], ['summary', ['timeline full', 'summary agent']])
  for (const coding of contentCodings)
    t.ok(representations.includes(get('a', content, 'timeline', coding) as Representation))
})

t.test(
  'a rendering that fails rejects the requests that wait for it, and the next request renders again',
  async (t) => {
    let fails = true
    const { get, store } = start(undefined, async (...given) => {
      if (fails) throw new Error('no memory')
      return render(...given)
    })
    const content = store('a')
    const [one, other] = [get('a', content, 'timeline', 'identity'), get('a', content, 'timeline', 'br')]
    await t.rejects(Promise.resolve(one), { message: 'no memory' })
    await t.rejects(Promise.resolve(other), { message: 'no memory' })
    fails = false
    t.equal((await get('a', content, 'timeline', 'br')).coding, 'br')
  },
)
