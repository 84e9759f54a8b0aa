import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { inspect } from 'node:util'
import type { Test } from 'tap'
import { createSandbox, type SandboxOptions } from '../../sandbox/hilos.ts'
import { uuid } from '../../sandbox/parts.ts'
import { systemClock } from '../../src/common/clock.ts'
import { Secret } from '../../src/common/secret.ts'
import { Failure } from '../../src/failures/failure.ts'
import { createHilosTokens } from '../../src/upstream/calls/hilos-tokens.ts'
import { readBytes } from '../../src/upstream/document/read-document.ts'
import { createHilos, type HilosOptions } from '../../src/upstream/hilos.ts'
import type { HilosObserver } from '../../src/upstream/observer.ts'
import { createClock, type TestClock } from '../harness/clock.ts'
import { settled } from '../harness/timers.ts'
import { silentObserver } from './silent-observer.ts'

export const contactId = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
export const token = 'token-canary-4b2f'
/** The upstreams of these tests put it into all they send. No failure may repeat it. */
export const canary = 'upstream-canary-7d1e'

/** Bytes to end the connection with, or what to do with it. */
export type Answer = string | Buffer | ((socket: Socket, request: string) => void)

/**
 * Starts an upstream that answers byte for byte as a test wants, on a free port of loopback, until the test ends. It lists
 * the requests as they were received, and all connections in the order in which they were opened.
 */
export async function startRawHilos(t: Test, answer: Answer, tls?: TlsOptions) {
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

/** Unlike `once`, accepts an error before. */
export async function closed(stream: Readable | undefined): Promise<void> {
  if (stream && !stream.closed) await new Promise((resolve) => stream.once('close', resolve))
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await settled()
}

export type Headers = Readonly<Record<string, string | readonly string[]>>

export const json = { 'content-type': 'application/json' }

/** A response as bytes, with a length unless it is chunked. */
export function httpResponse(status: number, headers: Headers = {}, body: string | Buffer = ''): Buffer {
  const all = { 'content-length': String(Buffer.byteLength(body)), ...headers }
  const lines = Object.entries(all).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}\r\n`))
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status} ${canary}\r\n${lines.join('')}\r\n`), Buffer.from(body)])
}

/** A 200 with this body as JSON. */
export const jsonResponse = (body: string | Buffer, headers: Headers = {}): Buffer =>
  httpResponse(200, { ...json, ...headers }, body)

/** The smallest document. */
export const minimal = jsonResponse('{"contact":{}}')

/** The ids of so many contacts. */
export const idsOf = (count: number) => Array.from({ length: count }, (_, index) => uuid(index, index))

/** The retries of the service, without a delay. */
export const retries = { share: 0.1, reserve: 5, longestDelayMs: 0 }

/** The options of connections to an upstream that is reached directly. */
export const connectionsOptions = {
  proxy: null,
  connectTimeoutMs: 1000,
  timeoutMs: 10_000,
  maxConnections: 2,
  maxBodyBytes: 1000,
  clock: systemClock,
}

export interface ClientOptions extends Partial<Omit<HilosOptions, 'clock' | 'observer'>> {
  readonly maxElements?: number
  readonly clock?: TestClock
  readonly observer?: Partial<HilosObserver>
}

/** Creates the part between the service and Hilos, and lists what it reports. It retries nothing unless a test says so. */
export function createClient(t: Test, baseUrl: string, options: ClientOptions = {}) {
  const [reports, drift]: [string[], string[]] = [[], []]
  const { clock = createClock(undefined, { random: () => 0 }), observer, maxElements = 10_000, ...overrides } = options
  const hilos = createHilos({
    tokens: createHilosTokens(new Secret(token), null, clock),
    baseUrl,
    proxy: null,
    userAgent: 'hilos-bff/test',
    timeoutMs: 10_000,
    connectTimeoutMs: 1000,
    maxConnections: 16,
    maxCallsPerSecond: 0,
    rateMargin: 0,
    maxQueuedCalls: 100,
    maxWaitMs: 5000,
    maxBodyBytes: 5 * 1024 * 1024,
    retries: { share: 0, reserve: 0, longestDelayMs: 0 },
    circuitBreaker: { maxFailedContacts: 10, openMs: 1000, refusalMs: 3000, maxPausedContacts: 500 },
    observer: {
      ...silentObserver,
      circuitOpened: ({ code }) => reports.push(`opened: ${code}`),
      circuitClosed: () => reports.push('closed'),
      tokenChanged: (fingerprint) => reports.push(`token: ${fingerprint}`),
      ...observer,
    },
    clock,
    ...overrides,
  })
  t.teardown(hilos.close)
  const load = (id = contactId, urgency: () => 0 | 1 | 2 = () => 2) =>
    hilos.getExecutionContact(id, { askedBy: new Set([id]), urgency, markAsked: () => {} }, async (body) =>
      readBytes({ bytes: await body.decoded(), id, tokens: body.tokens }, maxElements, (kind, path) =>
        drift.push(`${kind} ${path}`),
      ),
    )
  const call = async (...given: Parameters<typeof load>) => (await load(...given)).content
  return { ...hilos, load, call, clock, reports, drift }
}

/** An upstream with this answer and a client of it. */
export async function arrangeRaw(t: Test, answer: Answer, options?: ClientOptions) {
  const hilos = await startRawHilos(t, answer)
  return { ...hilos, ...createClient(t, hilos.baseUrl, options) }
}

/** An upstream that leaves its answers to the test, and a client of it. `held` is the connection of each request. */
export async function arrangeHeld(t: Test, options?: ClientOptions) {
  const held: Socket[] = []
  const hilos = await arrangeRaw(t, (socket) => held.push(socket), options)
  return { ...hilos, held, untilHeld: (count: number) => until(() => held.length >= count) }
}

/** The sandbox and a client of it. */
export async function arrangeSandbox(t: Test, options?: ClientOptions, sandboxOptions?: Partial<SandboxOptions>) {
  const sandbox = createSandbox({ token, now: createClock().now, ...sandboxOptions })
  const baseUrl = await sandbox.listen()
  t.teardown(sandbox.close)
  return { ...sandbox, ...createClient(t, baseUrl, options), host: new URL(baseUrl).host }
}

/** The failure of a promise. Throws unless it is a `Failure` that holds scalars only and repeats no secret. */
export async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const outcome = await promise.catch((error: unknown) => error)
  if (!(outcome instanceof Failure)) throw new Error('not a Failure', { cause: outcome })
  for (const fact of Object.values(outcome.facts))
    if (!['string', 'number', 'boolean'].includes(typeof fact)) throw new Error(`a ${typeof fact} among the facts`)
  const printed = `${inspect(outcome, { depth: 9, showHidden: true })} ${JSON.stringify(outcome)} ${outcome.stack}`
  for (const secret of [token, canary]) if (printed.includes(secret)) throw new Error(`the failure repeats ${secret}`)
  return outcome
}

/** `ok`, or the code of the failure. */
export async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'ok',
    ({ code }) => String(code),
  )
}

/** The failure of a call to this upstream. Throws unless it sent exactly one request, although it may retry. */
export async function failureFor(t: Test, answer: Answer, options: ClientOptions = {}): Promise<Failure> {
  const { requests, call } = await arrangeRaw(t, answer, { retries, ...options })
  const failure = await failureOf(call())
  if (requests.length !== 1) throw new Error(`${requests.length} requests`)
  return failure
}
