import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { uuid } from '../../../sandbox/parts.ts'
import { Secret } from '../../../src/common/secret.ts'
import { Failure } from '../../../src/failures/failure.ts'
import { createHilosTokens, type HilosTokens } from '../../../src/upstream/calls/hilos-tokens.ts'
import { createEitherToken } from '../../../src/upstream/calls/token-fallback.ts'
import type { HilosOptions } from '../../../src/upstream/hilos.ts'
import { UpstreamFailure } from '../../../src/upstream/upstream-failure.ts'
import { settled } from '../../harness/timers.ts'
import { contactId, createClient, failureOf, httpResponse, jsonResponse, startRawHilos } from '../raw-hilos.ts'

const current = new Secret('current-token-1')
const next = new Secret('next-token-2222')
const third = new Secret('third-token-333')
const json = { 'content-type': 'application/json' }
const document = jsonResponse('{"contact":{}}')
const [unauthorized, forbidden] = [httpResponse(401, json), httpResponse(403, json)]
const circuitBreaker = { maxFailedContacts: 10, openMs: 1000, refusalMs: 3000 }

type Asked = { readonly token: string; readonly id: string }

/** Hilos that answers by token and id, and a client with two tokens. */
async function arrange(
  t: Test,
  answer: (asked: Asked, socket: Socket) => Buffer | Promise<Buffer>,
  overrides: Partial<HilosOptions> = {},
) {
  const asked: Asked[] = []
  const hilos = await startRawHilos(t, async (socket, request) => {
    const [, id = ''] = /contact\/(\S+) /.exec(request) ?? []
    const [, token = ''] = /authorization: Token (.*)\r\n/i.exec(request) ?? []
    asked.push({ token, id })
    socket.write(await answer({ token, id }, socket))
  })
  const tokens = createHilosTokens({ current, next })
  const refusals: string[] = []
  const client = createClient(t, hilos.baseUrl, {
    tokens,
    circuitBreaker,
    onTokenRefused: ({ fingerprint, code }) => refusals.push(`${fingerprint} ${code}`),
    ...overrides,
  })
  const { getExecutionContact } = client
  /** How each ends, asked for at the same time. */
  const askAll = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        getExecutionContact(uuid(index, index)).then(
          () => 'ok',
          ({ code }) => String(code),
        ),
      ),
    )
  const tokensSent = () => asked.map(({ token }) => token)
  return { ...hilos, ...client, tokens, asked, tokensSent, refusals, askAll }
}

const of = (secret: Secret) => secret.reveal()
/** Takes these tokens and refuses all others. */
const taking =
  (...taken: readonly Secret[]) =>
  ({ token }: Asked) =>
    taken.some((secret) => of(secret) === token) ? document : unauthorized

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settled()
}

t.test('the token in use, when Hilos takes it, is the only one that is sent', async (t) => {
  const { askAll, tokensSent, reports, refusals } = await arrange(t, taking(current, next))
  t.strictSame(await askAll(3), ['ok', 'ok', 'ok'])
  t.strictSame(tokensSent(), Array(3).fill(of(current)))
  t.strictSame([...reports, ...refusals], [])
})

for (const [what, answer, result] of [
  ['a document', document, { id: contactId }],
  ['an absence', httpResponse(404, json, '{}'), null],
] as const)
  for (const [code, refusal] of [
    ['upstream_unauthorized', unauthorized],
    ['upstream_forbidden', forbidden],
  ] as const)
    t.test(`a token, when refused with ${code}, gives way to one that gets ${what}`, async (t) => {
      const hilos = await arrange(t, ({ token }) => (token === of(next) ? answer : refusal))
      t.match(await hilos.getExecutionContact(contactId), result)
      t.match(await hilos.getExecutionContact(contactId), result)
      t.strictSame(hilos.tokensSent(), [current, next, next].map(of))
      t.strictSame(hilos.reports, [`token: ${next.fingerprint()}`], 'told once, and no pause')
      t.strictSame(hilos.refusals, [`${current.fingerprint()} ${code}`])
      t.equal(new Set(hilos.asked.map(({ id }) => id)).size, 1)
    })

t.test('a token that was switched to, when refused in its turn, gives way to the first', async (t) => {
  let taken = next
  const { getExecutionContact, tokensSent, reports } = await arrange(t, (asked) => taking(taken)(asked))
  await getExecutionContact(contactId)
  taken = current
  await getExecutionContact(contactId)
  await getExecutionContact(contactId)
  t.strictSame(tokensSent(), [current, next, next, current, current].map(of))
  t.strictSame(reports, [`token: ${next.fingerprint()}`, `token: ${current.fingerprint()}`])
})

t.test('both tokens, when refused, are a refusal of the one in use, a pause, and one probe with both', async (t) => {
  const answers = new Map([
    [of(current), unauthorized],
    [of(next), forbidden],
  ])
  const hilos = await arrange(t, ({ token }) => answers.get(token) ?? document)
  const { getExecutionContact, askAll, clock, asked, refusals, reports } = hilos
  const { code, facts } = await failureOf(t, getExecutionContact(contactId))
  t.equal(code, 'upstream_unauthorized')
  t.strictSame(facts, { upstreamStatus: 401, tokenFingerprint: current.fingerprint() })
  const both = [`${current.fingerprint()} upstream_unauthorized`, `${next.fingerprint()} upstream_forbidden`]
  t.strictSame(refusals, both)
  t.strictSame(new Set(await askAll(5)), new Set(['upstream_unauthorized']))
  clock.advance(2999)
  await askAll(5)
  t.equal(asked.length, 2)
  clock.advance(1)
  t.strictSame(new Set(await askAll(5)), new Set(['upstream_unauthorized']))
  t.strictSame(refusals, [...both, ...both], 'one probe')
  t.strictSame(reports, ['pause: upstream_unauthorized'])
  answers.delete(of(next))
  clock.advance(3000)
  t.strictSame((await askAll(1))[0], 'ok')
  t.strictSame(new Set(await askAll(5)), new Set(['ok']))
  t.strictSame(reports.slice(1).sort(), ['resume', `token: ${next.fingerprint()}`])
})

t.test('a contact, when it is forbidden to both tokens, is one refusal, and nothing is switched', async (t) => {
  const { getExecutionContact, askAll, tokensSent, reports, clock } = await arrange(t, ({ id }) =>
    id === contactId ? forbidden : document,
  )
  const { code, facts } = await failureOf(t, getExecutionContact(contactId))
  t.equal(code, 'upstream_forbidden')
  t.equal(facts.tokenFingerprint, current.fingerprint())
  t.strictSame(reports, ['pause: upstream_forbidden'])
  clock.advance(3000)
  t.strictSame(await askAll(1), ['ok'])
  t.strictSame(tokensSent(), [current, next, current].map(of))
  t.strictSame(reports, ['pause: upstream_forbidden', 'resume'])
})

t.test('the other token, when it is the same or there is none, is not tried', async (t) => {
  for (const other of [null, new Secret(of(current))]) {
    const tokens = createHilosTokens({ current, next: other })
    const { getExecutionContact, asked } = await arrange(t, () => unauthorized, { tokens })
    t.equal((await failureOf(t, getExecutionContact(contactId))).code, 'upstream_unauthorized')
    t.equal(asked.length, 1)
  }
})

t.test('a refused token, when there is no other, takes no second turn', async (t) => {
  const { askAll, asked } = await arrange(t, () => unauthorized, {
    tokens: createHilosTokens({ current, next: null }),
    circuitBreaker: { ...circuitBreaker, refusalMs: 0 },
    maxCallsPerSecond: 2,
    maxQueuedCalls: 0,
  })
  for (let index = 0; index < 2; index += 1) t.strictSame(await askAll(1), ['upstream_unauthorized'])
  t.equal(asked.length, 2)
})

t.test('a failure, when it is no refusal, tries no other token', async (t) => {
  for (const status of [400, 404, 407, 429, 500, 503]) {
    const { getExecutionContact, asked, refusals } = await arrange(t, () => httpResponse(status))
    await failureOf(t, getExecutionContact(contactId))
    t.equal(asked.length, 1, String(status))
    t.strictSame(refusals, [])
  }
})

t.test(
  'the other token, when Hilos neither takes nor refuses it, is not switched to, and that is what is told',
  async (t) => {
    const table = [
      [httpResponse(500), 'upstream_error', []],
      [httpResponse(404, {}, '<h1>'), 'upstream_misconfigured', []],
      [httpResponse(429, { 'retry-after': '7' }), 'upstream_rate_limited', ['pause: upstream_rate_limited']],
      [jsonResponse('<html>'), 'upstream_invalid_response', []],
    ] as const
    for (const [answer, code, reports] of table) {
      const hilos = await arrange(t, ({ token }) => (token === of(next) ? answer : unauthorized))
      t.equal((await failureOf(t, hilos.getExecutionContact(contactId))).code, code)
      t.equal(hilos.tokens.inUse(), current)
      t.strictSame(hilos.reports, reports, 'no pause for a refusal')
    }
  },
)

t.test('the other token, when it gets a document that cannot be shown, is taken all the same', async (t) => {
  const { getExecutionContact, tokens } = await arrange(t, ({ token }) =>
    token === of(next) ? jsonResponse('{}') : unauthorized,
  )
  t.equal((await failureOf(t, getExecutionContact(contactId))).code, 'upstream_invalid_response')
  t.equal(tokens.inUse(), next)
})

t.test('a hundred calls at once, when both tokens are refused, open the breaker once, and few are made', async (t) => {
  const { askAll, tokensSent, reports, clock } = await arrange(t, () => unauthorized)
  t.strictSame(new Set(await askAll(100)), new Set(['upstream_unauthorized']))
  const sent = tokensSent().filter((token) => token === of(current)).length
  t.equal(sent, 16, 'no call beyond those that were under way')
  t.ok(tokensSent().length <= 32)
  t.strictSame(reports, ['pause: upstream_unauthorized'])
  const before = tokensSent().length
  clock.advance(3000)
  await askAll(100)
  t.equal(tokensSent().length, before + 2, 'one probe')
  t.strictSame(reports, ['pause: upstream_unauthorized'])
})

t.test(
  'a hundred calls at once, when one token is refused, are all answered, switch once, and none waits for ever',
  async (t) => {
    for (const maxConnections of [1, 16]) {
      const { askAll, tokensSent, reports } = await arrange(t, taking(next), { maxConnections })
      t.strictSame(new Set(await askAll(100)), new Set(['ok']))
      t.strictSame(reports, [`token: ${next.fingerprint()}`])
      const refused = tokensSent().filter((token) => token === of(current)).length
      t.equal(refused, maxConnections, 'who waited for a turn sent the token that was in use by then')
      t.equal(tokensSent().length, 100 + refused)
    }
  },
)

t.test('the other token, when there is no turn for it, is not tried, and what is told is the refusal', async (t) => {
  for (const [maxCallsPerSecond, tried, code] of [
    [1, 1, 'upstream_unauthorized'],
    [2, 2, 'ok'],
  ] as const) {
    const { askAll, asked } = await arrange(t, taking(next), { maxCallsPerSecond, maxQueuedCalls: 0 })
    t.strictSame(await askAll(1), [code])
    t.equal(asked.length, tried, 'the rate is of requests')
  }
})

t.test('a second request, when the first took all the time there is, is not made', async (t) => {
  for (const [tookMs, tried, code] of [
    [9999, 2, 'ok'],
    [10_000, 1, 'upstream_unauthorized'],
  ] as const) {
    const hilos = await arrange(t, (asked) => {
      hilos.clock.advance(tookMs)
      return taking(next)(asked)
    })
    t.strictSame(await hilos.askAll(1), [code])
    t.equal(hilos.asked.length, tried)
  }
})

t.test('two requests, when both are slow, have one deadline', async (t) => {
  const answered = Promise.withResolvers<Buffer>()
  const { getExecutionContact, asked } = await arrange(
    t,
    ({ token }, socket) => {
      if (token === of(current)) setTimeout(() => socket.write(unauthorized), 300)
      return answered.promise
    },
    { timeoutMs: 600, elapsed: () => performance.now() },
  )
  const startedMs = performance.now()
  t.equal((await failureOf(t, getExecutionContact(contactId))).code, 'upstream_timeout')
  const tookMs = performance.now() - startedMs
  t.ok(tookMs >= 590 && tookMs < 850, `${tookMs} ms`)
  t.equal(asked.length, 2)
})

/** As many calls as connections, on their way with the first token, and the answer to all of them. */
async function arrangeUnderWay(t: Test, takenLater: Secret) {
  const gate = Promise.withResolvers<void>()
  const hilos = await arrange(t, async (asked) => {
    await gate.promise
    return taking(takenLater)(asked)
  })
  const all = hilos.askAll(16)
  await until(() => hilos.asked.length === 16)
  return { ...hilos, all, answer: gate.resolve }
}

t.test(
  'calls under way, when their token is replaced and then refused, go on with the new one and pause nobody',
  async (t) => {
    const { all, answer, tokens, tokensSent, reports } = await arrangeUnderWay(t, third)
    tokens.replace('current', third)
    answer()
    t.strictSame(new Set(await all), new Set(['ok']))
    t.strictSame(tokensSent(), [...Array(16).fill(of(current)), ...Array(16).fill(of(third))])
    t.strictSame(reports, [])
    t.equal(tokens.inUse(), third)
  },
)

t.test(
  'a call under way, when its token is replaced by another that is refused too, tells the refusal of the new one',
  async (t) => {
    const refused = await arrange(t, () => {
      refused.tokens.replace('current', third)
      return unauthorized
    })
    const { facts } = await failureOf(t, refused.getExecutionContact(contactId))
    t.equal(facts.tokenFingerprint, third.fingerprint())
    t.strictSame(refused.tokensSent(), [current, third].map(of))
    t.strictSame(refused.reports, ['pause: upstream_unauthorized'])
  },
)

t.test('the other token, when the current one is replaced while it is tried, does not take its place', async (t) => {
  const hilos = await arrange(t, (asked) => {
    if (asked.token === of(next)) hilos.tokens.replace('current', third)
    return taking(next)(asked)
  })
  t.ok(await hilos.getExecutionContact(contactId))
  t.equal(hilos.tokens.inUse(), third)
  t.strictSame(hilos.reports, [])
})

/** A call whose first token is refused, with what happens while it waits for its second turn. */
async function arrangeWaiting(again: (tokens: HilosTokens) => void, mayGoOn = true) {
  const tokens = createHilosTokens({ current, next })
  const sent: Secret[] = []
  const refusals: Failure[] = []
  const sendWithEither = createEitherToken({ tokens })
  const failure = await sendWithEither({
    turn: { end: () => {}, again: async () => again(tokens) },
    call: { mayGoOn: () => mayGoOn, end: () => {} },
    leftMs: () => 1,
    send: async (token) => {
      sent.push(token)
      refusals.push(new Failure('upstream_unauthorized'))
      throw refusals.at(-1)
    },
  }).catch((error: unknown) => error)
  return { sent, isFirstRefusal: failure === refusals[0] }
}

t.test(
  'the other token, when it is not to be sent any more at its turn, is not, and what is told is the refusal',
  async (t) => {
    const overloaded = () => {
      throw new UpstreamFailure('overloaded')
    }
    const vanish = (tokens: HilosTokens) => tokens.replace('next', new Secret(of(current)))
    const replace = (tokens: HilosTokens) => tokens.replace('next', third)
    t.strictSame(await arrangeWaiting(() => {}), { sent: [current, next], isFirstRefusal: true })
    t.strictSame(await arrangeWaiting(overloaded), { sent: [current], isFirstRefusal: true }, 'no turn')
    t.strictSame(
      await arrangeWaiting(() => {}, false),
      { sent: [current], isFirstRefusal: true },
      'the breaker has opened',
    )
    t.strictSame(await arrangeWaiting(vanish), { sent: [current], isFirstRefusal: true }, 'there is none any more')
    t.strictSame(await arrangeWaiting(replace), { sent: [current, third], isFirstRefusal: true }, 'it was replaced')
  },
)

t.test('a body, when it repeats the token that was not sent, or one replaced since it was, is refused', async (t) => {
  const echo = (secret: Secret) => jsonResponse(JSON.stringify({ contact: { email: of(secret) } }))
  const reason = { reason: 'our own key in the body' }
  const spare = await arrange(t, () => echo(next))
  t.strictSame((await failureOf(t, spare.getExecutionContact(contactId))).facts, reason)
  const replaced = await arrange(t, () => {
    replaced.tokens.replace('current', third)
    return echo(current)
  })
  t.strictSame((await failureOf(t, replaced.getExecutionContact(contactId))).facts, reason)
  t.ok(await (await arrange(t, () => echo(third))).getExecutionContact(contactId), 'a text that is none of ours')
})
