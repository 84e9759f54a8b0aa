import type { Socket } from 'node:net'
import t from 'tap'
import { type FaultName, faultIds } from '../../sandbox/faults.ts'
import { createSandbox } from '../../sandbox/hilos.ts'
import type { FailureCode } from '../../src/failures/failure-kinds.ts'
import { UpstreamFailure } from '../../src/upstream/upstream-failure.ts'
import {
  canary,
  closed,
  codeFor,
  contactId,
  createClient,
  failureOf,
  jsonResponse,
  startRawHilos,
  token,
} from './raw-hilos.ts'

const timeoutMs = 100
/** Where the headers have to arrive before the deadline, on a busy machine too. */
const patientTimeoutMs = 500

/** What each fault comes to. */
interface Fate {
  readonly code: FailureCode
  /** What was true before may stand in for a while. */
  readonly transient: boolean
  /** Hilos is asked a second time. */
  readonly retried: boolean
  /** For how long nobody asks, in seconds; 0 for not at all. */
  readonly pauses: number
}

const final = { transient: false, retried: false, pauses: 0 } as const
const transient = { transient: true, retried: false, pauses: 0 } as const
const retried = { ...transient, retried: true } as const

const fates: Readonly<Record<FaultName, Fate>> = {
  unauthorized: { code: 'upstream_unauthorized', ...final, pauses: 3 },
  forbidden: { code: 'upstream_forbidden', ...final, pauses: 3 },
  rateLimited: { code: 'upstream_rate_limited', ...transient, pauses: 7 },
  broken: { code: 'upstream_error', ...transient },
  outOfService: { code: 'upstream_unavailable', ...retried },
  redirect: { code: 'upstream_redirect', ...final },
  slow: { code: 'upstream_timeout', ...transient },
  hang: { code: 'upstream_timeout', ...transient },
  hangInBody: { code: 'upstream_timeout', ...transient },
  cutBody: { code: 'upstream_invalid_response', ...transient },
  invalidJson: { code: 'upstream_invalid_response', ...transient },
  html: { code: 'upstream_invalid_response', ...transient },
  empty: { code: 'upstream_invalid_response', ...final },
  huge: { code: 'upstream_too_large', ...final },
  gzipBomb: { code: 'upstream_too_large', ...final },
  wrongEncoding: { code: 'upstream_invalid_response', ...transient },
  anotherId: { code: 'upstream_invalid_response', ...final },
  reset: { code: 'upstream_unavailable', ...retried },
  notHttp: { code: 'upstream_invalid_response', ...transient },
  htmlNotFound: { code: 'upstream_misconfigured', ...final },
}

for (const [fault, fate] of Object.entries(fates) as [FaultName, Fate][])
  t.test(`the sandbox, when asked for ${fault}, is ${described(fate)}`, async (t) => {
    const sandbox = createSandbox({ token, faultText: canary })
    const baseUrl = await sandbox.listen()
    t.teardown(sandbox.close)
    const { getExecutionContact, clock } = createClient(t, baseUrl, {
      retries: { share: 0.1, reserve: 5, longestDelayMs: 0 },
      circuitBreaker: { maxFailedContacts: 10, openMs: 1000, refusalMs: 3000 },
      ...(fate.code === 'upstream_timeout' && { timeoutMs: fault === 'hangInBody' ? patientTimeoutMs : timeoutMs }),
    })
    const failure = await failureOf(t, getExecutionContact(faultIds[fault]))
    t.equal(failure.code, fate.code)
    t.equal(failure instanceof UpstreamFailure, fate.transient)
    const asked = fate.retried ? 2 : 1
    t.equal(sandbox.requests.length, asked)

    const [another = ''] = sandbox.documents.keys()
    if (fate.pauses > 0) {
      clock.advance(fate.pauses * 1000 - 1)
      t.equal((await failureOf(t, getExecutionContact(another))).code, fate.code, 'nobody else may ask either')
      t.equal(sandbox.requests.length, asked)
      clock.advance(1)
    }
    if (!fate.code.endsWith('timeout')) t.ok(await getExecutionContact(another))
  })

function described({ code, transient, retried, pauses }: Fate): string {
  const then = pauses > 0 ? `left alone for ${pauses} s` : 'asked on'
  return `asked ${retried ? 'twice' : 'once'}, gives ${code}, ${transient ? 'transient' : 'final'}, and is ${then}`
}

t.test('the sandbox, when given another token, is a refusal that does not show it', async (t) => {
  const sandbox = createSandbox({ token: 'another' })
  const baseUrl = await sandbox.listen()
  t.teardown(sandbox.close)
  const { code } = await failureOf(t, createClient(t, baseUrl).getExecutionContact(contactId))
  t.equal(code, 'upstream_unauthorized')
})

const ok = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

/** Writes a beginning, then the same bytes again and again until the connection is gone. */
const drip = (beginning: string, drop: string) => (socket: Socket) => {
  socket.write(beginning)
  const timer = setInterval(() => socket.write(drop), 5)
  socket.on('close', () => clearInterval(timer))
}

t.test('a call, when Hilos hangs or drips, ends at its deadline and closes the connection', async (t) => {
  const beforeTheBody: Record<string, (socket: Socket) => void> = {
    'says nothing': () => {},
    'stops in the status line': (socket) => socket.write('HTTP/1.1 2'),
    'stops between headers': (socket) => socket.write(ok),
    'drips headers': drip(ok, 'x: y\r\n'),
    'drips early hints': drip('', 'HTTP/1.1 103 Early Hints\r\n\r\n'),
  }
  const inTheBody: Record<string, (socket: Socket) => void> = {
    'stops before the body': (socket) => socket.write(`${ok}content-length: 100\r\n\r\n`),
    'stops in the body': (socket) => socket.write(`${ok}content-length: 100\r\n\r\n{"contact":"${canary}`),
    'stops in a chunk': (socket) => socket.write(`${ok}transfer-encoding: chunked\r\n\r\n64\r\n{"contact":"${canary}`),
    'stops before the last chunk': (socket) => socket.write(`${ok}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n`),
    'drips the body': drip(`${ok}\r\n`, ' '),
    'drips chunks': drip(`${ok}transfer-encoding: chunked\r\n\r\n`, '1\r\n \r\n'),
  }
  const timeoutOf = async (timeoutMs: number, [name, answer]: [string, (socket: Socket) => void]) => {
    const { baseUrl, sockets } = await startRawHilos(t, answer)
    const startedMs = performance.now()
    const failure = await failureOf(t, createClient(t, baseUrl, { timeoutMs }).getExecutionContact(contactId))
    const tookMs = performance.now() - startedMs
    t.equal(failure.code, 'upstream_timeout', name)
    t.equal(failure.facts.timeoutMs, timeoutMs)
    t.ok(tookMs > timeoutMs - 10 && tookMs < timeoutMs + 1500, `${name}: ${Math.round(tookMs)} ms`)
    for (const socket of sockets) await closed(socket)
    return failure.facts.reason
  }
  await Promise.all(Object.entries(beforeTheBody).map((entry) => timeoutOf(timeoutMs, entry)))
  const reasons = await Promise.all(Object.entries(inTheBody).map((entry) => timeoutOf(patientTimeoutMs, entry)))
  for (const reason of reasons) t.equal(reason, 'in the middle of the body')
})

t.test('a failure, when its body is slow or long, waits for neither and lets the connection go', async (t) => {
  const head = 'HTTP/1.1 500 no\r\n'
  const table = [
    ['at the deadline when slow', drip(`${head}\r\n`, ' '), patientTimeoutMs],
    ['at once when long', drip(`${head}content-length: 1000000\r\n\r\n`, ' '), 60_000],
    ['soon when endless', drip(`${head}\r\n`, ' '.repeat(16 * 1024)), 60_000],
  ] as const
  for (const [name, answer, deadlineMs] of table) {
    const { baseUrl, sockets } = await startRawHilos(t, answer)
    const { getExecutionContact } = createClient(t, baseUrl, { timeoutMs: deadlineMs })
    t.equal((await failureOf(t, getExecutionContact(contactId))).code, 'upstream_error', name)
    const [socket] = sockets
    await closed(socket)
    t.ok(socket?.destroyed)
  }
})

/** Ends a connection politely or not, after these bytes. */
const ends = {
  FIN: (bytes: string) => (socket: Socket) => socket.end(bytes),
  reset: (bytes: string) => (socket: Socket) => socket.write(bytes, () => setImmediate(() => socket.resetAndDestroy())),
}

for (const [kind, after] of Object.entries(ends))
  t.test(`a connection, when lost by ${kind} before an answer, is a failure to reach Hilos`, async (t) => {
    for (const bytes of ['', 'HTTP/1.1 2', ok]) t.equal(await codeFor(t, after(bytes)), 'upstream_unavailable', bytes)
  })

for (const [kind, after] of Object.entries(ends))
  t.test(`a connection, when lost by ${kind} in the body, is an answer that cannot be read`, async (t) => {
    const bodies = [
      `content-length: 15\r\n\r\n{"contact":{}}`,
      `content-length: 15\r\n\r\n`,
      `transfer-encoding: chunked\r\n\r\ne\r\n{"contact":{}}\r\n`,
      `transfer-encoding: chunked\r\n\r\n`,
    ]
    for (const body of bodies) {
      const { baseUrl } = await startRawHilos(t, after(`${ok}${body}`))
      const { code, facts } = await failureOf(t, createClient(t, baseUrl).getExecutionContact(contactId))
      t.equal(code, 'upstream_invalid_response', body)
      t.strictSame(facts, { reason: 'cut off in the middle of the body' })
    }
  })

t.test('what answers, when it is not HTTP or is smuggling, is an answer that cannot be read', async (t) => {
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
  for (const [name, answer] of Object.entries(answers))
    t.equal(await codeFor(t, answer), 'upstream_invalid_response', name)
})

t.test('a client, when a call has failed in any way, goes on with the next', async (t) => {
  const answers = ['', `${ok}content-length: 99\r\n\r\n{`, `220 ${canary}\r\n\r\n`, jsonResponse('{}')]
  const { baseUrl, requests } = await startRawHilos(t, (socket) =>
    socket.end(answers[requests.length - 1] ?? jsonResponse('{"contact":{}}')),
  )
  const { getExecutionContact } = createClient(t, baseUrl)
  for (const _ of answers) await failureOf(t, getExecutionContact(contactId))
  t.ok(await getExecutionContact(contactId))
  t.equal(requests.length, answers.length + 1)
})
