import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { FastifyReply } from 'fastify'
import { executionContact, type Part } from './parts.ts'

export interface FaultContext {
  readonly id: string
  /** A text that every fault with a body includes. */
  readonly text: string
  /** The delay of the slow fault, in milliseconds. */
  readonly slowMs: number
  /** The target of the redirect. */
  readonly redirectUrl: string
  /** Aborted when the sandbox closes. */
  readonly closing: AbortSignal
}

/** Answers a request as a failing Hilos might. */
export type Fault = (reply: FastifyReply, context: FaultContext) => unknown

/** A status with a body like that of Django REST Framework. */
export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Fault =>
  (reply, { text }) =>
    reply.code(code).headers(headers).send({ detail: text })

/** Writes to the socket without Fastify. */
const raw =
  (write: (socket: NonNullable<FastifyReply['raw']['socket']>, context: FaultContext) => void): Fault =>
  (reply, context) => {
    const { socket } = reply.raw
    reply.hijack()
    if (socket) write(socket, context)
  }

/** A few kilobytes that decompress to 16 MiB of spaces. */
const bomb = gzipSync(Buffer.alloc(16 * 1024 * 1024, ' '), { level: 1 })

const head = (length: number, headers = '') =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n${headers}\r\n`

export interface ScriptedFault {
  /** The last digits are the status, if the fault is a status. */
  readonly id: string
  /** What Hilos does, as a sentence without a full stop. */
  readonly text: string
  readonly send: Fault
}

const scripted = (suffix: string, text: string, send: Fault): ScriptedFault => ({
  id: `f0000000-0000-4000-8000-${suffix.padStart(12, '0')}`,
  text,
  send,
})

const slow: Fault = async (_reply, { id, slowMs, closing }): Promise<Part> => {
  await sleep(slowMs, undefined, { signal: closing, ref: false })
  return executionContact(id)
}

/** The one table of all faults. The ids, the answers and the list at `GET /` come from it. */
export const faults = {
  unauthorized: scripted('401', 'Refuses the token', status(401, { 'www-authenticate': 'Token' })),
  forbidden: scripted('403', 'Does not let the token read this run', status(403)),
  rateLimited: scripted('429', 'Asks for a pause of 7 s', status(429, { 'retry-after': '7' })),
  broken: scripted('500', 'Fails', status(500)),
  outOfService: scripted('503', 'Is out of service', status(503)),
  redirect: scripted('302', 'Redirects to another path', (reply, { redirectUrl }) => reply.redirect(redirectUrl)),
  slow: scripted('51', 'Sends a run after 2 s', slow),
  hang: scripted(
    '52',
    'Never answers',
    raw(() => {}),
  ),
  hangInBody: scripted(
    '53',
    'Stops in the middle of the body',
    raw((socket, { text }) => socket.write(`${head(10_000)}{"detail":"${text}`)),
  ),
  cutBody: scripted(
    '54',
    'Closes the connection in the middle of the body',
    raw((socket, { text }) => socket.end(`${head(10_000)}{"detail":"${text}`)),
  ),
  invalidJson: scripted('55', 'Sends JSON that is not valid', (reply, { text }) =>
    reply.type('application/json').send(`{"contact":{},${text}`),
  ),
  html: scripted('56', 'Sends an HTML page with the status 200', (reply, { text }) =>
    reply.type('text/html').send(`<!doctype html><title>${text}</title>`),
  ),
  empty: scripted('57', 'Sends JSON that is no run', (reply, { text }) => reply.send({ detail: text })),
  huge: scripted('58', 'Sends a run of more than 6 MiB', (reply, { id }) =>
    reply.send(executionContact(id, { status_reason: 'x'.repeat(6 * 1024 * 1024) })),
  ),
  gzipBomb: scripted('59', 'Sends a few kilobytes of gzip that become 16 MiB', (reply) =>
    reply.header('content-encoding', 'gzip').type('application/json').send(bomb),
  ),
  wrongEncoding: scripted('60', 'Names a content coding that the body does not have', (reply, { text }) =>
    reply.header('content-encoding', 'br').type('application/json').send(text),
  ),
  anotherId: scripted('61', 'Sends another run', (reply, { text }) =>
    reply.send(executionContact('00000000-0000-4000-8000-0000000000ff', { reason: text })),
  ),
  reset: scripted(
    '62',
    'Resets the connection',
    raw((socket) => socket.resetAndDestroy()),
  ),
  notHttp: scripted(
    '63',
    'Answers in another protocol than HTTP',
    raw((socket, { text }) => socket.end(`220 ${text} ESMTP\r\n`)),
  ),
  htmlNotFound: scripted('64', 'Has no such path, and says so in HTML', (reply, { text }) =>
    reply.code(404).type('text/html').send(`<!doctype html><h1>${text}</h1>`),
  ),
  closedForLong: scripted('65', 'Is out of service for 300 s', status(503, { 'retry-after': '300' })),
  gatewayNotFound: scripted('66', 'Is behind a gateway that has lost the route, as Kong says it', (reply, { text }) =>
    reply.code(404).send({ message: text }),
  ),
  timedOut: scripted('408', 'Closes a connection that it found idle', status(408)),
} satisfies Record<string, ScriptedFault>

export type FaultName = keyof typeof faults

/** The ids of all faults. */
export const faultIds = Object.fromEntries(Object.entries(faults).map(([name, { id }]) => [name, id])) as Readonly<
  Record<FaultName, string>
>
