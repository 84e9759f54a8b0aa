import diagnosticsChannel from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import t from 'tap'
import { type FaultName, faultIds } from '../../sandbox/faults.ts'
import { UpstreamFailure } from '../../src/upstream/failures.ts'
import { createClock } from '../harness/clock.ts'
import { checkRowsInTurn, difference } from '../harness/table.ts'
import { createTimers } from '../harness/timers.ts'
import {
  arrangeRaw,
  arrangeSandbox,
  canary,
  closed,
  failureFor,
  failureOf,
  outcomeOf,
  retries,
  until,
} from './raw-hilos.ts'

/**
 * The failure of each fault: whether it is transient, whether it is retried, for how many seconds no call is made, and
 * whether that holds for this contact only.
 */
const faults: Readonly<
  Record<FaultName, readonly [code: string, kind: 'final' | 'transient' | 'retried', pause?: number, isOwn?: true]>
> = {
  unauthorized: ['upstream_unauthorized', 'final', 3],
  forbidden: ['upstream_forbidden', 'final', 3, true],
  rateLimited: ['upstream_rate_limited', 'transient', 7],
  broken: ['upstream_error', 'transient'],
  outOfService: ['upstream_unavailable', 'retried'],
  redirect: ['upstream_redirect', 'final'],
  slow: ['upstream_timeout', 'transient'],
  hang: ['upstream_timeout', 'transient'],
  hangInBody: ['upstream_timeout', 'transient'],
  cutBody: ['upstream_invalid_response', 'transient'],
  invalidJson: ['upstream_invalid_response', 'transient'],
  html: ['upstream_invalid_response', 'transient'],
  empty: ['upstream_invalid_response', 'final'],
  huge: ['upstream_too_large', 'final'],
  gzipBomb: ['upstream_too_large', 'final'],
  wrongEncoding: ['upstream_invalid_response', 'transient'],
  anotherId: ['upstream_invalid_response', 'final'],
  reset: ['upstream_unavailable', 'retried'],
  notHttp: ['upstream_invalid_response', 'transient'],
  htmlNotFound: ['upstream_misconfigured', 'transient'],
  gatewayNotFound: ['upstream_misconfigured', 'transient'],
  timedOut: ['upstream_unavailable', 'retried'],
  closedForLong: ['upstream_rate_limited', 'transient', 300, true],
}

for (const [fault, [code, kind, pauseSeconds = 0, isOwn = false]] of Object.entries(faults))
  t.test(
    `the fault ${fault} is a ${kind} ${code} and pauses ${isOwn ? 'its' : 'all'} calls for ${pauseSeconds} s`,
    async (t) => {
      const clock = code === 'upstream_timeout' ? createTimers() : createClock()
      const sandbox = await arrangeSandbox(t, { retries, clock }, { faultText: canary })
      const { call, requests } = sandbox
      const failing = failureOf(call(faultIds[fault as FaultName]))
      if (code === 'upstream_timeout') {
        await until(() => requests.length > 0)
        await clock.advance(10_000)
      }
      const failure = await failing
      t.equal(failure.code, code)
      t.equal(failure instanceof UpstreamFailure, kind !== 'final')
      const sent = kind === 'retried' ? 2 : 1
      t.equal(requests.length, sent)

      const [another = ''] = sandbox.documents.keys()
      if (pauseSeconds > 0) {
        await clock.advance(pauseSeconds * 1000 - 1)
        const refusal = await failureOf(call(isOwn ? faultIds[fault as FaultName] : another))
        t.equal(refusal.code, code)
        t.equal(refusal instanceof UpstreamFailure, kind !== 'final')
        t.equal(requests.length, sent)
        if (isOwn) t.ok(await call(another))
        await clock.advance(1)
      }
      t.ok(await call(another))
    },
  )

const ok = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

/** Writes a beginning, then the same bytes again and again until the connection is gone. */
const drip = (beginning: string, drop: string) => (socket: Socket) => {
  socket.write(beginning)
  const timer = setInterval(() => socket.write(drop), 5)
  socket.on('close', () => clearInterval(timer))
}

t.test('a call without a response fails at its real deadline', async (t) => {
  const { call } = await arrangeRaw(t, () => {}, { timeoutMs: 50 })
  const { code, facts } = await failureOf(call())
  t.strictSame([code, facts], ['upstream_timeout', { reason: 'before an answer', timeoutMs: 50 }])
})

t.test('a response that stops or drips ends at the deadline, which closes the connection', async (t) => {
  const write = (bytes: string) => (socket: Socket) => socket.write(bytes)
  const beforeTheBody = [
    () => {},
    write('HTTP/1.1 2'),
    write(ok),
    drip(ok, 'x: y\r\n'),
    drip('', 'HTTP/1.1 103 Early Hints\r\n\r\n'),
  ]
  const inTheBody = [
    write(`${ok}content-length: 100\r\n\r\n`),
    write(`${ok}content-length: 100\r\n\r\n{"contact":"${canary}`),
    write(`${ok}transfer-encoding: chunked\r\n\r\n64\r\n{"contact":"${canary}`),
    write(`${ok}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n`),
    drip(`${ok}\r\n`, ' '),
    drip(`${ok}transfer-encoding: chunked\r\n\r\n`, '1\r\n \r\n'),
  ]
  let responses = 0
  const countResponse = (message: unknown) => {
    if ((message as { response: { statusCode: number } }).response.statusCode === 200) responses += 1
  }
  diagnosticsChannel.subscribe('undici:request:headers', countResponse)
  t.teardown(() => diagnosticsChannel.unsubscribe('undici:request:headers', countResponse))
  await checkRowsInTurn(
    t,
    [...beforeTheBody, ...inTheBody].entries(),
    async ([index, answer]) => {
      const timers = createTimers()
      const { call, sockets, requests } = await arrangeRaw(t, answer, { clock: timers })
      const failing = failureOf(call())
      const inBody = index >= beforeTheBody.length
      const before = responses
      await until(() => (inBody ? responses > before : requests.length > 0))
      await timers.advance(9999)
      const early = timers.armed()
      await timers.advance(1)
      const { code, facts } = await failing
      await closed(sockets[0])
      const reason = inBody ? 'in the middle of the body' : 'before an answer'
      return difference([early, code, facts], [[1], 'upstream_timeout', { reason, timeoutMs: 10_000 }])
    },
    'the call times out',
  )
})

t.test('the body of an error is not waited for, and its connection is closed if it is slow or long', async (t) => {
  const head = 'HTTP/1.1 500 no\r\n'
  for (const answer of [
    drip(`${head}\r\n`, ' '),
    drip(`${head}content-length: 1000000\r\n\r\n`, ' '),
    drip(`${head}\r\n`, ' '.repeat(16 * 1024)),
  ]) {
    const { call, sockets } = await arrangeRaw(t, answer)
    t.equal(await outcomeOf(call()), 'upstream_error')
    await closed(sockets[0])
  }
})

t.test('a response that is not HTTP, or is ambiguous, is invalid', async (t) => {
  const document = '{"contact":{}}'
  const answers: Record<string, string> = {
    'bytes of any kind': `\0\x01\x02${canary}\r\n\r\n`,
    'another protocol': `220 ${canary} ESMTP\r\n`,
    'HTTP/0.9': document,
    'a status of four digits': `HTTP/1.1 2000 OK\r\ncontent-length: 14\r\n\r\n${document}`,
    'a folded header': `${ok} ${canary}\r\ncontent-length: 14\r\n\r\n${document}`,
    'a header with a NUL': `${ok}x: ${canary}\0\r\ncontent-length: 14\r\n\r\n${document}`,
    'a negative length': `${ok}content-length: -1\r\n\r\n${document}`,
    'a hexadecimal length': `${ok}content-length: 0xe\r\n\r\n${document}`,
    'two lengths': `${ok}content-length: 14\r\ncontent-length: 15\r\n\r\n${document}`,
    'a length and chunks': `${ok}content-length: 14\r\ntransfer-encoding: chunked\r\n\r\ne\r\n${document}\r\n0\r\n\r\n`,
    'headers of 64 KiB': `${ok}x: ${'x'.repeat(64 * 1024)}\r\ncontent-length: 14\r\n\r\n${document}`,
    'a chunk without a size': `${ok}transfer-encoding: chunked\r\n\r\n${canary}\r\n${document}\r\n0\r\n\r\n`,
  }
  await checkRowsInTurn(
    t,
    Object.entries(answers),
    async ([, answer]) => difference((await failureFor(t, answer)).code, 'upstream_invalid_response'),
    'the response is invalid',
  )
})
