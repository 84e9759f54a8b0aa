import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { inspect } from 'node:util'
import type { Test } from 'tap'
import { Secret } from '../../src/common/secret.ts'
import { Failure } from '../../src/failures/failure.ts'
import { createHilosTokens } from '../../src/upstream/calls/hilos-tokens.ts'
import { createHilos, type HilosOptions } from '../../src/upstream/hilos.ts'
import { createClock } from '../harness/clock.ts'

export const contactId = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
export const token = 'token-canary-4b2f'
/** In whatever the upstream of these tests says; no failure may repeat it. */
export const canary = 'upstream-canary-7d1e'

/** Bytes to end the connection with, or what to do with it. */
export type Answer = string | Buffer | ((socket: Socket, request: string) => void)

export interface RawHilos {
  readonly origin: string
  readonly baseUrl: string
  /** As they came, without a body. */
  readonly requests: string[]
  /** Every connection there was. */
  readonly sockets: Socket[]
}

/** An upstream that answers byte for byte what a test wants, on a free port of loopback, until the test ends. */
export async function startRawHilos(t: Test, answer: Answer, tls?: TlsOptions): Promise<RawHilos> {
  const [requests, sockets]: [string[], Socket[]] = [[], []]
  const server = tls ? createTlsServer(tls) : createServer()
  server.on('connection', (socket: Socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
  })
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    let request = ''
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      request += chunk
      if (!request.endsWith('\r\n\r\n')) return
      requests.push(request)
      if (typeof answer === 'function') answer(socket, request)
      else socket.end(answer)
      request = ''
    })
  })
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const origin = `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin, baseUrl: `${origin}/channel/whatsapp`, requests, sockets }
}

/** Unlike `once`, does not mind an error before. */
export async function closed(stream: Readable | undefined): Promise<void> {
  if (stream && !stream.closed) await new Promise((resolve) => stream.once('close', resolve))
}

export type Headers = Readonly<Record<string, string | readonly string[]>>

/** A response as bytes, with a length unless it is chunked. */
export function httpResponse(status: number, headers: Headers = {}, body: string | Buffer = ''): Buffer {
  const all = { 'content-length': String(Buffer.byteLength(body)), ...headers }
  const lines = Object.entries(all).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`))
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} ${canary}\r\n${lines.join('')}\r\n`), Buffer.from(body)])
}

/** A 200 with JSON in it. */
export const jsonResponse = (body: string | Buffer, headers: Headers = {}): Buffer =>
  httpResponse(200, { 'content-type': 'application/json', ...headers }, body)

/** What lies between the service and Hilos, with an eye on what it reports. Nothing is retried unless a test says so. */
export function createClient(t: Test, baseUrl: string, overrides: Partial<HilosOptions> = {}) {
  const reports: string[] = []
  const clock = createClock()
  const hilos = createHilos({
    tokens: createHilosTokens({ current: new Secret(token), next: null }),
    baseUrl,
    userAgent: 'hilos-bff/test',
    timeoutMs: 10_000,
    connectTimeoutMs: 1000,
    maxConnections: 16,
    maxCallsPerSecond: 0,
    maxQueuedCalls: 100,
    maxWaitMs: 5000,
    maxBodyBytes: 5 * 1024 * 1024,
    maxElements: 10_000,
    retries: { share: 0, reserve: 0, longestDelayMs: 100 },
    circuitBreaker: { maxFailedContacts: 10, openMs: 1000, refusalMs: 0 },
    reportDrift: (kind, path) => reports.push(`${kind} ${path}`),
    onPause: ({ code }) => reports.push(`pause: ${code}`),
    onResume: () => reports.push('resume'),
    onTokenChange: ({ fingerprint }) => reports.push(`token: ${fingerprint}`),
    now: clock.now,
    elapsed: clock.now,
    random: () => 0,
    ...overrides,
  })
  t.teardown(hilos.close)
  return { ...hilos, clock, reports }
}

/** What a promise fails with: a failure we know by name, that carries scalars and repeats nothing it should not. */
export async function failureOf(t: Test, promise: Promise<unknown>): Promise<Failure> {
  const outcome = await promise.catch((error: unknown) => error)
  if (!(outcome instanceof Failure)) throw new Error('not a Failure', { cause: outcome })
  for (const fact of Object.values(outcome.facts)) t.match(typeof fact, /^(string|number|boolean)$/)
  const printed = `${inspect(outcome, { depth: 9, showHidden: true })} ${JSON.stringify(outcome)} ${outcome.stack}`
  for (const secret of [token, canary]) t.notOk(printed.includes(secret), 'the failure repeats neither us nor them')
  return outcome
}

/** The code a call to this upstream fails with, after exactly one request. */
export async function codeFor(t: Test, answer: Answer, overrides: Partial<HilosOptions> = {}): Promise<string> {
  const hilos = await startRawHilos(t, answer)
  const { getExecutionContact } = createClient(t, hilos.baseUrl, overrides)
  const { code } = await failureOf(t, getExecutionContact(contactId))
  t.equal(hilos.requests.length, 1)
  return code
}
