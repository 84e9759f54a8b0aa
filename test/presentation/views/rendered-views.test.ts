import { createHash, randomBytes } from 'node:crypto'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import t from 'tap'
import { type Profile, profiles } from '../../../src/access/profile.ts'
import { exampleContact } from '../../../src/presentation/contact/example.ts'
import {
  type ContentCoding,
  compress,
  contentCodings,
  worthCompressingBytes,
} from '../../../src/presentation/views/content-coding.ts'
import { createRenderings } from '../../../src/presentation/views/rendered-views.ts'
import { packContact, type Representation, renderView, type View, views } from '../../../src/presentation/views/view.ts'

/** What each representation counts for, on top of its body. */
const overheadBytes = 512
const compressions = ['gzip', 'br'] as const

const packedWith = (reason: string) => packContact({ ...exampleContact, reason })

/** Renderings in front of what a test says is remembered. */
function start(maxBytes = 1_000_000) {
  const remembered = new Map<string, Buffer>()
  const renderings = createRenderings({ maxBytes, isRemembered: (id, packed) => remembered.get(id) === packed })
  /** A contact that is remembered from now on. */
  const remember = (id: string, packed = packedWith(id)) => {
    remembered.set(id, packed)
    return packed
  }
  const of = (id: string, packed: Buffer, view: View, coding: ContentCoding, profile: Profile = 'full') =>
    renderings.of(id, packed, { view, profile, coding })
  return { of, delete: renderings.delete, fullness: renderings.fullness, remembered, remember }
}

/** JSON that is nearly noise, of the least size worth compressing: brotli gains just so many bytes, and gzip loses some. */
async function noiseThatShrinksBy(bytes: number): Promise<Buffer> {
  for (let seed = 0; ; seed += 1) {
    const hashes = Array.from({ length: 64 }, (_, index) => createHash('sha256').update(`${seed} ${index}`).digest())
    const noise = Buffer.concat(hashes).filter((byte) => byte >= 0x20 && !'"\\'.includes(String.fromCharCode(byte)))
    const json = Buffer.concat([Buffer.from('"'), noise.subarray(0, worthCompressingBytes - 2), Buffer.from('"')])
    if ((await compress(json, 'br')).length === json.length - bytes) return json
  }
}

function decoded({ body, coding }: Representation): Buffer {
  switch (coding) {
    case 'gzip':
      return gunzipSync(body)
    case 'br':
      return brotliDecompressSync(body)
    case 'identity':
      return body
  }
}

t.test('a representation, of each view in each coding, has the right bytes under a tag of its own', async (t) => {
  const { of, remember } = start()
  const packed = remember('a')
  const all: Representation[] = []
  for (const view of views) {
    const plain = renderView(packed, view, 'full')
    t.ok(plain.body.length >= worthCompressingBytes, 'worth compressing')
    for (const coding of contentCodings) {
      const representation = await of('a', packed, view, coding)
      const { body, etag, ...others } = representation
      t.ok(decoded(representation).equals(plain.body), `${view} in ${coding}`)
      t.equal(etag, coding === 'identity' ? plain.etag : plain.etag.replace(/"$/, `-${coding}"`))
      t.equal(body.length < plain.body.length, coding !== 'identity')
      t.strictSame(others, { view, profile: 'full', coding, terminal: false })
      all.push(representation)
    }
  }
  t.equal(new Set(all.map(({ etag }) => etag)).size, 9)
})

t.test('a representation, when asked for again, is the same object, and at once', async (t) => {
  const { of, remember } = start()
  const packed = remember('a')
  for (const view of views) {
    for (const coding of contentCodings) {
      const first = await of('a', packed, view, coding)
      t.equal(of('a', packed, view, coding), first, `${view} in ${coding}`)
    }
  }
  const again = await Promise.all(contentCodings.map((coding) => of('a', packed, 'timeline', coding)))
  for (const [index, coding] of contentCodings.entries())
    t.equal(of('a', packed, 'timeline', coding), again[index], 'and none has taken the place of another')
})

t.test('the transcript, as it is, is the packed contact itself', async (t) => {
  const { of, remember } = start()
  const packed = remember('a')
  t.equal((await of('a', packed, 'transcript', 'identity')).body, packed)
})

t.test('a new revision, when first asked for, takes the place of all that was rendered of the old one', async (t) => {
  const { of, remember } = start()
  const old = remember('a')
  const before = await Promise.all(contentCodings.map((coding) => of('a', old, 'timeline', coding)))
  const packed = remember('a', Buffer.from(old))
  const summary = await of('a', packed, 'summary', 'gzip')
  t.equal(of('a', packed, 'summary', 'gzip'), summary)
  t.not(await of('a', packed, 'timeline', 'gzip'), before[1], 'equal bytes in another buffer are another revision')
  for (const [index, coding] of contentCodings.entries())
    t.not(await of('a', old, 'timeline', coding), before[index], `${coding} of the old one is gone`)
})

t.test('an old revision, when somebody still asks for it, is rendered and leaves the new one alone', async (t) => {
  const { of, remember } = start()
  const old = packedWith('old')
  const packed = remember('a', packedWith('new'))
  for (const coding of contentCodings) {
    const current = await of('a', packed, 'timeline', coding)
    t.match(JSON.parse(decoded(await of('a', old, 'timeline', coding)).toString()), { reason: 'old' })
    t.equal(of('a', packed, 'timeline', coding), current, coding)
  }
})

t.test('a contact, when deleted, is forgotten in every view and coding, and the others are not', async (t) => {
  const { of, remember, delete: forget } = start()
  const [a, b] = [remember('a'), remember('b')]
  const ofA = await Promise.all(contentCodings.map((coding) => of('a', a, 'timeline', coding)))
  const ofB = await of('b', b, 'timeline', 'gzip')
  forget('a')
  forget('never seen')
  for (const [index, coding] of contentCodings.entries()) t.not(await of('a', a, 'timeline', coding), ofA[index])
  t.equal(of('b', b, 'timeline', 'gzip'), ofB)
})

t.test('what is not remembered, when asked for, is rendered but not kept', async (t) => {
  const { of } = start()
  const packed = packedWith('a')
  for (const coding of contentCodings) {
    const first = await of('a', packed, 'timeline', coding)
    const second = await of('a', packed, 'timeline', coding)
    t.strictSame(second, first, coding)
    t.not(second, first)
  }
})

t.test('what is no longer remembered, when its compression ends, is answered but not kept', async (t) => {
  const { of, remember, remembered, delete: forget } = start()
  const packed = remember('a')
  for (const coding of compressions) {
    const compressing = of('a', packed, 'timeline', coding)
    remembered.delete('a')
    forget('a')
    const late = await compressing
    t.equal(late.coding, coding)
    remember('a', packed)
    t.not(await of('a', packed, 'timeline', coding), late, coding)
    forget('a')
  }
})

t.test('a new revision, when the old one is still being compressed, is not replaced by it', async (t) => {
  const { of, remember } = start()
  const old = remember('a', packedWith('old'))
  const compressing = of('a', old, 'timeline', 'gzip')
  const packed = remember('a', packedWith('new'))
  const current = await of('a', packed, 'timeline', 'identity')
  t.match(JSON.parse(decoded(await compressing).toString()), { reason: 'old' })
  t.equal(of('a', packed, 'timeline', 'identity'), current)
})

t.test('a hundred callers, when they come at once, share one compression per view and coding', async (t) => {
  const { of, remember } = start()
  const packed = remember('a')
  const names = ['timeline gzip', 'timeline br', 'transcript gzip'] as const
  const asks = Array.from({ length: 100 }, () => [
    of('a', packed, 'timeline', 'gzip'),
    of('a', packed, 'timeline', 'br'),
    of('a', packed, 'transcript', 'gzip'),
  ])
  const answers = await Promise.all(asks.map((ask) => Promise.all(ask)))
  for (const [index, name] of names.entries()) t.equal(new Set(answers.map((answer) => answer[index])).size, 1, name)
  t.equal(new Set(answers.flat()).size, 3)
})

t.test('a caller who has waited, whichever, finds what it got remembered', async (t) => {
  const { of, remember } = start()
  const packed = remember('a')
  const found = async () => (await of('a', packed, 'timeline', 'gzip')) === of('a', packed, 'timeline', 'gzip')
  t.strictSame(await Promise.all([found(), found(), found()]), [true, true, true])
})

t.test('a body, when it is a byte too small to be worth it, stays as it is in every coding', async (t) => {
  const { of, remember } = start()
  const emptyLength = Buffer.byteLength(JSON.stringify({ terminal: false, text: '' }))
  const sized = (bytes: number) =>
    Buffer.from(JSON.stringify({ terminal: false, text: 'x'.repeat(bytes - emptyLength) }))
  for (const bytes of [worthCompressingBytes - 1, worthCompressingBytes, worthCompressingBytes + 1]) {
    const packed = remember('a', sized(bytes))
    const plain = of('a', packed, 'transcript', 'identity')
    for (const coding of compressions) {
      const answer = of('a', packed, 'transcript', coding)
      const expected = bytes < worthCompressingBytes ? 'identity' : coding
      t.equal((await answer).coding, expected, `${bytes} bytes in ${coding}`)
      if (bytes < worthCompressingBytes) t.equal(answer, plain, 'the same, and at once')
    }
  }
})

t.test('a body, when it does not get smaller, stays as it is', async (t) => {
  const { of, remember } = start()
  const table = [
    [1, 'br', 'br'],
    [0, 'br', 'identity'],
    [-1, 'br', 'identity'],
    [0, 'gzip', 'identity'],
  ] as const
  for (const [bytes, coding, expected] of table) {
    const packed = remember('a', await noiseThatShrinksBy(bytes))
    const plain = await of('a', packed, 'transcript', 'identity')
    const answer = await of('a', packed, 'transcript', coding)
    t.equal(answer.coding, expected, `${coding}, when brotli gains ${bytes} bytes`)
    t.equal(answer === plain, expected === 'identity')
  }
})

t.test('a body, small or large, plain or compressed, owns its memory', async (t) => {
  const { of, remember } = start()
  for (const reason of ['', '🚚', 'x'.repeat(100_000)]) {
    const packed = remember('a', packedWith(reason))
    for (const view of views) {
      for (const coding of contentCodings) {
        const { body } = await of('a', packed, view, coding)
        t.equal(body.buffer.byteLength, body.length, `${view} in ${coding}`)
      }
    }
  }
})

type Ask = readonly [view: View, coding: ContentCoding]

/** Whether all that is asked for is kept within the budget. */
async function fits(maxBytes: number, packed: Buffer, asks: readonly Ask[]): Promise<boolean> {
  const { of, remember } = start(maxBytes)
  remember('a', packed)
  const got: Representation[] = []
  for (const [view, coding] of asks) got.push(await of('a', packed, view, coding))
  return asks.every(([view, coding], index) => of('a', packed, view, coding) === got[index])
}

t.test('what is kept of a contact, is counted to the byte: each body once, the packed one not at all', async (t) => {
  const packed = packedWith('a')
  const { of, remember } = start()
  remember('a', packed)
  const table: readonly (readonly Ask[])[] = [
    [['timeline', 'identity']],
    [['transcript', 'identity']],
    ...contentCodings.map((coding): readonly Ask[] => [
      ['timeline', 'identity'],
      ['timeline', coding],
    ]),
    views.flatMap((view) => contentCodings.toReversed().map((coding): Ask => [view, coding])),
  ]
  for (const asks of table) {
    const kept = new Set(await Promise.all(asks.map(([view, coding]) => of('a', packed, view, coding))))
    const bytes = [...kept].reduce((sum, { body }) => sum + overheadBytes + (body === packed ? 0 : body.length), 0)
    t.equal(
      await fits(bytes, packed, asks),
      true,
      `${bytes} bytes for ${asks.map((ask) => ask.join(' in ')).join(', ')}`,
    )
    t.equal(await fits(bytes - 1, packed, asks), false, 'one byte less')
  }
})

t.test('the budget, when it is used up, costs the contact that was asked for least recently', async (t) => {
  const bytes = overheadBytes + renderView(packedWith('a'), 'timeline', 'full').body.length
  const { of, remember } = start(2 * bytes)
  const [a, b, c] = [remember('a'), remember('b'), remember('c')]
  const [ofA, ofB] = [of('a', a, 'timeline', 'identity'), of('b', b, 'timeline', 'identity')]
  t.equal(of('a', a, 'timeline', 'identity'), ofA, 'both fit, and a is now the latest used')
  const ofC = of('c', c, 'timeline', 'identity')
  t.equal(of('a', a, 'timeline', 'identity'), ofA)
  t.equal(of('c', c, 'timeline', 'identity'), ofC)
  t.not(of('b', b, 'timeline', 'identity'), ofB)
})

t.test('a contact, when more is rendered of it, counts for more', async (t) => {
  const plainBytes = overheadBytes + renderView(packedWith('a'), 'timeline', 'full').body.length
  const { of, remember } = start(2 * plainBytes)
  const [a, b] = [remember('a'), remember('b')]
  const ofA = of('a', a, 'timeline', 'identity')
  await of('b', b, 'timeline', 'identity')
  t.equal(of('a', a, 'timeline', 'identity'), ofA, 'both fit')
  const ofB = await of('b', b, 'timeline', 'gzip')
  t.equal(of('b', b, 'timeline', 'gzip'), ofB)
  t.not(of('a', a, 'timeline', 'identity'), ofA)
})

t.test('a compression, when it fails, fails for those who wait for it, and is tried again', async (t) => {
  const failing = [true, false]
  const path = '../../../src/presentation/views/rendered-views.ts'
  const mocked = await t.mockImport<typeof import('../../../src/presentation/views/rendered-views.ts')>(path, {
    '../../../src/presentation/views/content-coding.ts': {
      worthCompressingBytes,
      compress: async () => {
        if (failing.shift()) throw new Error('out of memory')
        return Buffer.alloc(0)
      },
    },
  })
  const { of } = mocked.createRenderings({ maxBytes: 1_000_000, isRemembered: () => true })
  const packed = packedWith('a')
  const variant = { view: 'timeline', profile: 'full', coding: 'gzip' } as const
  const both = await Promise.allSettled([of('a', packed, variant), of('a', packed, variant)])
  t.strictSame(
    both.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  t.match(await of('a', packed, variant), { coding: 'gzip' })
  t.strictSame(failing, [])
})

t.test('what is larger than the budget, when asked for, is answered and not kept, and evicts no other', async (t) => {
  const small = packedWith('a')
  const large = packedWith(randomBytes(10_000).toString('base64'))
  const { of, remember } = start(overheadBytes + renderView(small, 'timeline', 'full').body.length)
  remember('a', small)
  remember('large', large)
  const ofSmall = of('a', small, 'timeline', 'identity')
  for (const coding of contentCodings) {
    const first = await of('large', large, 'timeline', coding)
    t.ok(decoded(first).equals(renderView(large, 'timeline', 'full').body), coding)
    t.not(await of('large', large, 'timeline', coding), first)
  }
  t.equal(of('a', small, 'timeline', 'identity'), ofSmall)
})

t.test('a representation, for each profile, is its own, and its tag differs where its bytes do', async (t) => {
  const { of, remember } = start()
  // Even the smallest view is worth compressing.
  const flow = { ...exampleContact.flow, name: 'x'.repeat(worthCompressingBytes) }
  const known = { ...exampleContact, flow }
  const unknown = { ...exampleContact.contact, name: null, phone: null, email: null, id: null }
  const bare = { ...known, reason: null, answers: [], messages: [], contact: unknown }
  for (const packed of [remember('a', packContact(known)), remember('bare', packContact(bare))]) {
    const id = packed.includes('María') ? 'a' : 'bare'
    const all: Representation[] = []
    for (const view of views) {
      for (const coding of contentCodings) {
        for (const profile of profiles) {
          const representation = await of(id, packed, view, coding, profile)
          const { contact } = JSON.parse(decoded(representation).toString())
          t.match(representation, { view, profile, coding })
          t.equal(contact.masked, profile !== 'full', `${profile} in ${coding}`)
          t.equal(of(id, packed, view, coding, profile), representation, 'the same when asked for again')
          all.push(representation)
        }
      }
    }
    t.equal(new Set(all).size, 27)
    for (const a of all) for (const b of all) if ((a.etag === b.etag) !== a.body.equals(b.body)) t.fail(a.etag)
    t.equal(
      new Set(all.map(({ etag }) => etag)).size,
      id === 'a' ? 27 : 18,
      'of the bare one, agent and viewer see the same',
    )
  }
})

t.test('a compression, for each profile, is one of its own', async (t) => {
  const { of, remember } = start()
  const packed = remember('a')
  const asks = [...profiles, ...profiles].map((profile) => of('a', packed, 'transcript', 'gzip', profile))
  const answers = await Promise.all(asks)
  t.strictSame(
    answers.map(({ profile }) => profile),
    [...profiles, ...profiles],
  )
  t.equal(new Set(answers).size, 3)
})

t.test('a contact, when it changes or is deleted, is forgotten for every profile', async (t) => {
  const { of, remember, delete: forget } = start()
  const packed = remember('a')
  for (const profile of profiles) {
    const before = await of('a', packed, 'timeline', 'gzip', profile)
    forget('a')
    t.not(await of('a', packed, 'timeline', 'gzip', profile), before, profile)
  }
})

t.test('renderings, as they fill, say how full they are and how often some had to make room', async (t) => {
  const { of, remember, fullness, delete: forget } = start(40_000)
  const empty = { entries: 0, bytes: 0, maxBytes: 40_000, evictions: 0 }
  t.strictSame(fullness(), empty)
  const { body } = await of('a', remember('a'), 'summary', 'identity', 'full')
  t.strictSame(fullness(), { ...empty, entries: 1, bytes: 512 + body.length })
  forget('a')
  t.strictSame(fullness(), empty)
  for (let each = 0; each < 200; each += 1) await of(`${each}`, remember(`${each}`), 'summary', 'identity', 'full')
  const { entries, evictions } = fullness()
  t.equal(entries + evictions, 200)
  t.ok(evictions > 0)
})
