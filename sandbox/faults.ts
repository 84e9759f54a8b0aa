import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import type { FastifyReply } from 'fastify'
import { executionContact, type Part } from './parts.ts'

const fault = (suffix: string) => `f0000000-0000-4000-8000-${suffix.padStart(12, '0')}`

/** The ids of all faults. The last digits are the status, if the fault is a status. */
export const faultIds = {
  unauthorized: fault('401'),
  forbidden: fault('403'),
  rateLimited: fault('429'),
  broken: fault('500'),
  outOfService: fault('503'),
  redirect: fault('302'),
  slow: fault('51'),
  hang: fault('52'),
  hangInBody: fault('53'),
  cutBody: fault('54'),
  invalidJson: fault('55'),
  html: fault('56'),
  empty: fault('57'),
  huge: fault('58'),
  gzipBomb: fault('59'),
  wrongEncoding: fault('60'),
  anotherId: fault('61'),
  reset: fault('62'),
  notHttp: fault('63'),
  htmlNotFound: fault('64'),
  closedForLong: fault('65'),
  timedOut: fault('408'),
  gatewayNotFound: fault('66'),
} as const

export type FaultName = keyof typeof faultIds

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

export const faults: Readonly<Record<FaultName, Fault>> = {
  unauthorized: status(401, { 'www-authenticate': 'Token' }),
  forbidden: status(403),
  rateLimited: status(429, { 'retry-after': '7' }),
  broken: status(500),
  outOfService: status(503),
  redirect: (reply, { redirectUrl }) => reply.redirect(redirectUrl),
  slow: async (_reply, { id, slowMs, closing }): Promise<Part> => {
    await sleep(slowMs, undefined, { signal: closing, ref: false })
    return executionContact(id)
  },
  hang: raw(() => {}),
  hangInBody: raw((socket, { text }) => socket.write(`${head(10_000)}{"detail":"${text}`)),
  cutBody: raw((socket, { text }) => socket.end(`${head(10_000)}{"detail":"${text}`)),
  invalidJson: (reply, { text }) => reply.type('application/json').send(`{"contact":{},${text}`),
  html: (reply, { text }) => reply.type('text/html').send(`<!doctype html><title>${text}</title>`),
  empty: (reply, { text }) => reply.send({ detail: text }),
  huge: (reply, { id }) => reply.send(executionContact(id, { status_reason: 'x'.repeat(6 * 1024 * 1024) })),
  gzipBomb: (reply) => reply.header('content-encoding', 'gzip').type('application/json').send(bomb),
  wrongEncoding: (reply, { text }) => reply.header('content-encoding', 'br').type('application/json').send(text),
  anotherId: (reply, { text }) =>
    reply.send(executionContact('00000000-0000-4000-8000-0000000000ff', { reason: text })),
  reset: raw((socket) => socket.resetAndDestroy()),
  notHttp: raw((socket, { text }) => socket.end(`220 ${text} ESMTP\r\n`)),
  htmlNotFound: (reply, { text }) => reply.code(404).type('text/html').send(`<!doctype html><h1>${text}</h1>`),
  closedForLong: status(503, { 'retry-after': '300' }),
  timedOut: status(408),
  /** As Kong writes it while it has no route. */
  gatewayNotFound: (reply, { text }) => reply.code(404).send({ message: text }),
}
