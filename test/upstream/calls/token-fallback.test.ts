import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { Secret } from '../../../src/common/secret.ts'
import { Failure } from '../../../src/failures/failure.ts'
import { createHilosTokens, type HilosTokens } from '../../../src/upstream/calls/hilos-tokens.ts'
import { createTokenFallback } from '../../../src/upstream/calls/token-fallback.ts'
import { UpstreamFailure } from '../../../src/upstream/failures.ts'
import { createClock } from '../../harness/clock.ts'
import { checkRowsInTurn, difference } from '../../harness/table.ts'
import { createTimers } from '../../harness/timers.ts'
import {
  type Answer,
  arrangeRaw,
  type ClientOptions,
  contactId,
  failureOf,
  httpResponse,
  idsOf,
  json,
  jsonResponse,
  minimal,
  outcomeOf,
  until,
} from '../raw-hilos.ts'
import { silentObserver } from '../silent-observer.ts'

const current = new Secret('current-token-1')
const next = new Secret('next-token-2222')
const third = new Secret('third-token-333')
const [unauthorized, forbidden] = [httpResponse(401, json), httpResponse(403, json)]

type Asked = { readonly token: string; readonly id: string }

const tokensOf = (second: Secret | null) => createHilosTokens(current, second, createClock())

/** Hilos that answers by token and id, and a client with two tokens. */
async function arrange(
  t: Test,
  answer: (asked: Asked, socket: Socket) => Buffer | Promise<Buffer>,
  overrides: ClientOptions = {},
) {
  const asked: Asked[] = []
  const answerNext: Answer = async (socket, request) => {
    const [, id = ''] = /contact\/(\S+) /.exec(request) ?? []
    const [, token = ''] = /authorization: Token (.*)\r\n/i.exec(request) ?? []
    asked.push({ token, id })
    socket.write(await answer({ token, id }, socket))
  }
  const tokens = tokensOf(next)
  const refusals: string[] = []
  const tokenRefused = (fingerprint: string, code: string) => refusals.push(`${fingerprint} ${code}`)
  const hilos = await arrangeRaw(t, answerNext, { tokens, observer: { tokenRefused }, ...overrides })
  /** The outcomes of so many calls at the same time, about different contacts. */
  const callAll = (count: number) => Promise.all(idsOf(count).map((id) => outcomeOf(hilos.call(id))))
  const tokensSent = () => asked.map(({ token }) => token)
  return { ...hilos, tokens, asked, tokensSent, refusals, callAll }
}

const of = (secret: Secret) => secret.reveal()
/** Accepts this token and refuses all others. */
const accepting =
  (accepted: Secret, answer = minimal, refusal = unauthorized) =>
  ({ token }: Asked) =>
    token === of(accepted) ? answer : refusal

t.test('the token in use is the only one that is sent while Hilos accepts it', async (t) => {
  const { callAll, tokensSent, reports, refusals } = await arrange(t, accepting(current))
  t.strictSame(await callAll(3), ['ok', 'ok', 'ok'])
  t.strictSame(tokensSent(), Array(3).fill(of(current)))
  t.strictSame([...reports, ...refusals], [])
})

t.test('a refused token is replaced by one that gets a document or an absence', async (t) => {
  for (const answer of [minimal, httpResponse(404, json, '{"detail":"Not found."}')])
    for (const [code, refusal] of Object.entries({
      upstream_unauthorized: unauthorized,
      upstream_forbidden: forbidden,
    })) {
      const hilos = await arrange(t, accepting(next, answer, refusal))
      for (const _ of [1, 2]) t.equal((await hilos.call())?.id, answer === minimal ? contactId : undefined)
      t.strictSame(hilos.tokensSent(), [current, next, next].map(of))
      t.strictSame(hilos.reports, [`token: ${next.fingerprint()}`], 'it is reported once, and the breaker is closed')
      t.strictSame(hilos.refusals, [`${current.fingerprint()} ${code}`])
      t.ok(hilos.asked.every(({ id }) => id === contactId))
    }
})

t.test('the first token is used again when the second one is refused', async (t) => {
  let accepted = next
  const { call, tokensSent, reports } = await arrange(t, (asked) => accepting(accepted)(asked))
  await call()
  accepted = current
  await call()
  await call()
  t.strictSame(tokensSent(), [current, next, next, current, current].map(of))
  t.strictSame(reports, [`token: ${next.fingerprint()}`, `token: ${current.fingerprint()}`])
})

t.test('two refused tokens open the breaker for the refusal of the first, and each probe sends both', async (t) => {
  const answers = new Map([
    [of(current), unauthorized],
    [of(next), forbidden],
  ])
  const hilos = await arrange(t, ({ token }) => answers.get(token) ?? minimal)
  const { call, callAll, clock, asked, refusals, reports } = hilos
  const { code, facts } = await failureOf(call())
  t.equal(code, 'upstream_unauthorized')
  t.strictSame(facts, { upstreamStatus: 401, tokenFingerprint: current.fingerprint() })
  const both = [`${current.fingerprint()} upstream_unauthorized`, `${next.fingerprint()} upstream_forbidden`]
  t.strictSame(refusals, both)
  t.strictSame(await callAll(5), Array(5).fill('upstream_unauthorized'))
  clock.advance(2999)
  await callAll(5)
  t.equal(asked.length, 2)
  clock.advance(1)
  t.strictSame(await callAll(5), Array(5).fill('upstream_unauthorized'))
  t.strictSame(refusals, [...both, ...both], 'one probe')
  t.strictSame(reports, ['opened: upstream_unauthorized'])
  answers.delete(of(next))
  clock.advance(3000)
  t.equal((await callAll(1))[0], 'ok')
  t.strictSame(await callAll(5), Array(5).fill('ok'))
  t.strictSame(reports.slice(1).sort(), ['closed', `token: ${next.fingerprint()}`])
})

t.test('without another token, a refused call sends one request, and takes one slot', async (t) => {
  for (const second of [null, new Secret(of(current))]) {
    const { callAll, asked } = await arrange(t, () => unauthorized, {
      tokens: tokensOf(second),
      circuitBreaker: { maxFailedContacts: 10, openMs: 1000, refusalMs: 0, maxPausedContacts: 500 },
      maxCallsPerSecond: 2,
      maxQueuedCalls: 0,
    })
    for (const _ of [1, 2]) t.strictSame(await callAll(1), ['upstream_unauthorized'])
    t.equal(asked.length, 2)
  }
})

t.test('a failure that is no refusal tries no other token', async (t) => {
  await checkRowsInTurn(
    t,
    [400, 404, 407, 429, 500, 503],
    async (status) => {
      const { call, asked, refusals } = await arrange(t, () => httpResponse(status))
      await failureOf(call())
      return difference([asked.length, refusals], [1, []])
    },
    'one request',
  )
})

t.test('a failure of the second request is the result, and the token is used only if it got a document', async (t) => {
  await checkRowsInTurn(
    t,
    [
      [httpResponse(500), 'upstream_error', []],
      [httpResponse(404, {}, '<h1>'), 'upstream_misconfigured', []],
      [httpResponse(429, { 'retry-after': '7' }), 'upstream_rate_limited', ['opened: upstream_rate_limited']],
      [jsonResponse('<html>'), 'upstream_invalid_response', []],
      [jsonResponse('{}'), 'upstream_invalid_response', []],
    ] as const,
    async ([answer, code, reports]) => {
      const hilos = await arrange(t, accepting(next, answer))
      const { code: found } = await failureOf(hilos.call())
      return difference([found, hilos.reports, hilos.tokens.inUse() === next], [code, reports, false])
    },
    'the second answer counts',
  )
})

t.test('a hundred calls with refused tokens open the breaker once, and few are sent', async (t) => {
  const { callAll, tokensSent, reports, clock } = await arrange(t, () => unauthorized)
  t.strictSame(await callAll(100), Array(100).fill('upstream_unauthorized'))
  const sent = tokensSent().length
  t.equal(tokensSent().filter((token) => token === of(current)).length, 16, 'only those that had started')
  t.ok(sent <= 32)
  clock.advance(3000)
  await callAll(100)
  t.equal(tokensSent().length, sent + 2, 'one probe')
  t.strictSame(reports, ['opened: upstream_unauthorized'])
})

t.test('a hundred calls with one refused token all get a document, and the token changes once', async (t) => {
  for (const maxConnections of [1, 16]) {
    const { callAll, tokensSent, reports } = await arrange(t, accepting(next), { maxConnections })
    t.strictSame(await callAll(100), Array(100).fill('ok'))
    t.strictSame(reports, [`token: ${next.fingerprint()}`])
    const refused = tokensSent().filter((token) => token === of(current)).length
    t.equal(refused, maxConnections, 'calls that waited for a slot send the token that is in use by then')
    t.equal(tokensSent().length, 100 + refused)
  }
})

t.test('without a slot or time for the other token the result is the refusal', async (t) => {
  for (const [maxCallsPerSecond, tookMs, sent] of [
    [1, 0, 1],
    [2, 0, 2],
    [0, 9999, 2],
    [0, 10_000, 1],
  ] as const) {
    // No timer runs: the last millisecond may be a long one.
    const clock = createClock(undefined, { schedule: () => () => {} })
    const answer = (asked: Asked) => {
      clock.advance(tookMs)
      return accepting(next)(asked)
    }
    const hilos = await arrange(t, answer, { maxCallsPerSecond, maxQueuedCalls: 0, clock })
    t.strictSame(await hilos.callAll(1), [sent === 2 ? 'ok' : 'upstream_unauthorized'])
    t.equal(hilos.asked.length, sent)
  }
})

t.test('both requests of a call have one deadline', async (t) => {
  const timers = createTimers()
  const never = new Promise<Buffer>(() => {})
  const answer = async ({ token }: Asked) => {
    await timers.advance(3000)
    return token === of(current) ? unauthorized : never
  }
  const { call, asked } = await arrange(t, answer, { clock: timers })
  const failure = failureOf(call())
  await until(() => asked.length === 2)
  await timers.advance(3999)
  t.strictSame(timers.armed(), [1])
  await timers.advance(1)
  t.equal((await failure).code, 'upstream_timeout')
})

t.test('calls in flight continue with a new current token when their old one is refused', async (t) => {
  const gate = Promise.withResolvers<void>()
  const hilos = await arrange(t, async (asked) => {
    await gate.promise
    return accepting(third)(asked)
  })
  const all = hilos.callAll(16)
  await until(() => hilos.asked.length === 16)
  hilos.tokens.replace('current', third)
  gate.resolve()
  t.strictSame(await all, Array(16).fill('ok'))
  t.strictSame(hilos.tokensSent(), [...Array(16).fill(of(current)), ...Array(16).fill(of(third))])
  t.strictSame(hilos.reports, [])
  t.equal(hilos.tokens.inUse(), third)
})

t.test('if the new current token is refused too, the result is its refusal', async (t) => {
  const hilos = await arrange(t, () => {
    hilos.tokens.replace('current', third)
    return unauthorized
  })
  t.equal((await failureOf(hilos.call())).facts.tokenFingerprint, third.fingerprint())
  t.strictSame(hilos.tokensSent(), [current, third].map(of))
  t.strictSame(hilos.reports, ['opened: upstream_unauthorized'])
})

t.test('the other token does not replace a new current token', async (t) => {
  const hilos = await arrange(t, (asked) => {
    if (asked.token === of(next)) hilos.tokens.replace('current', third)
    return accepting(next)(asked)
  })
  t.ok(await hilos.call())
  t.equal(hilos.tokens.inUse(), third)
  t.strictSame(hilos.reports, [])
})

t.test('the other token is sent only if it may still be sent when its slot is granted', async (t) => {
  const overloaded = () => {
    throw new UpstreamFailure('overloaded')
  }
  const table: Record<
    string,
    readonly [whileWaiting: (tokens: HilosTokens) => void, mayGoOn: boolean, sent: Secret[]]
  > = {
    'nothing changes': [() => {}, true, [current, next]],
    'there is no slot': [overloaded, true, [current]],
    'the breaker has opened': [() => {}, false, [current]],
    'there is no other token any more': [(tokens) => tokens.replace('next', new Secret(of(current))), true, [current]],
    'it has been replaced': [(tokens) => tokens.replace('next', third), true, [current, third]],
  }
  for (const [name, [whileWaiting, mayGoOn, expected]] of Object.entries(table)) {
    const tokens = tokensOf(next)
    const sent: Secret[] = []
    const refusals: Failure[] = []
    const failure = await createTokenFallback(
      tokens,
      silentObserver,
    )({
      slot: { sent: () => {}, release: () => {}, requeue: async () => whileWaiting(tokens) },
      call: { mayGoOn: () => mayGoOn, end: () => {} },
      leftMs: () => 1,
      send: async (token) => {
        sent.push(token)
        refusals.push(new Failure('upstream_unauthorized'))
        throw refusals.at(-1)
      },
    }).catch((error: unknown) => error)
    t.strictSame(sent, expected, name)
    t.equal(failure, refusals[0], 'the result is the first refusal')
  }
})

t.test('a body that repeats a token that was not sent, or one that was replaced since, is refused', async (t) => {
  const repeating = (secret: Secret) => jsonResponse(JSON.stringify({ contact: { email: of(secret) } }))
  const reason = { reason: 'our own key in the body' }
  const spare = await arrange(t, () => repeating(next))
  t.strictSame((await failureOf(spare.call())).facts, reason)
  const replaced = await arrange(t, () => {
    replaced.tokens.replace('current', third)
    return repeating(current)
  })
  t.strictSame((await failureOf(replaced.call())).facts, reason)
  t.ok(await (await arrange(t, () => repeating(third))).call(), 'another text is no token')
})
