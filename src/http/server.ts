import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import fastJson from 'fast-json-stringify'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController, type RawServerDefault } from 'fastify'
import { keyPrefix } from '../access/keys.ts'
import type { Limits } from '../config/config.ts'
import { Failure } from '../failures/failure.ts'
import { type FailureCode, failureKinds } from '../failures/failure-kinds.ts'
import { presentProblem, problemMediaType } from '../failures/problem.ts'
import { createConnections } from '../lifecycle/connections.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import { originHeaders } from '../plugins/cross-origin.ts'
import { sendProblem } from '../plugins/problems.ts'
import { logWhenOver, type OnRequestOver } from '../plugins/request-log.ts'
import { dataHeaders, setBaseHeaders } from '../plugins/security-headers.ts'

export interface ServerOptions {
  /** Counts the requests; a lifecycle of its own by default. */
  readonly lifecycle?: Lifecycle
  /** Called at the end of a request that passes no hook. Without it, such a request is not logged. */
  readonly onRequestOver?: OnRequestOver
  /** Called for each malformed request, with the code of the response. */
  readonly onMalformed?: (code: FailureCode) => void
  /** Called for each connection that is closed on arrival. */
  readonly onDrop?: () => void
  /** The origins of the pages that may read responses; none by default. */
  readonly corsOrigins?: readonly string[]
  /** Whether `close` cuts requests in flight; false by default. */
  readonly closesAtOnce?: boolean
}

/** An HTTP server without routes. It limits everything that a client sends, and its response to malformed HTTP is a problem. */
export function createServer(limits: Limits, logger: FastifyBaseLogger, options: ServerOptions = {}) {
  const { onRequestOver, onMalformed = () => {}, corsOrigins = [], closesAtOnce = false } = options
  const connections = createConnections(limits, options)
  const onlyOrigin = corsOrigins.length === 1 ? corsOrigins[0] : '*'
  const refuse = (code: FailureCode, socket: OccupiedSocket, received = '') => {
    // The client would mistake a problem for the response to an earlier request on the connection.
    if (socket._httpMessage) return void socket.destroy()
    onMalformed(code)
    const sent = /^origin:[ \t]*(\S+)[ \t]*\r?$/im.exec(received)?.[1]
    const allowed = corsOrigins.find((each) => each === sent) ?? onlyOrigin
    writeProblem(code, socket, originHeaders(corsOrigins, allowed), logger)
  }
  const app: FastifyInstance = Fastify<RawServerDefault>({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestIdOf,
    serverFactory: (handle) =>
      connections.createServer(
        {
          requestTimeout: limits.requestTimeoutMs,
          headersTimeout: limits.headersTimeoutMs,
          connectionsCheckingInterval: limits.timeoutCheckMs,
          keepAliveTimeout: limits.keepAliveMs,
          maxHeaderSize: limits.maxHeaderBytes,
          // Node.js would answer a missing Host itself, with an empty body.
          requireHostHeader: false,
        },
        handle,
      ),
    routerOptions: { maxParamLength: limits.maxUrlLength },
    // While the server closes, requests on open connections are still answered.
    return503OnClosing: false,
    ...(closesAtOnce && { forceCloseConnections: true }),
    // The schemas are constants, and validating them took half of the start time. Formats are for readers: each has a pattern
    // beside it.
    ajv: {
      customOptions: { removeAdditional: false, coerceTypes: false, validateSchema: false, validateFormats: false },
    },
    schemaController: { compilersFactory: { buildSerializer } },
    // A path that cannot be decoded does not reach the schema of its route.
    frameworkErrors: (_error, request, reply) => {
      const code = namesContact.test(request.url) ? 'invalid_id' : 'malformed_request'
      if (onRequestOver) logWhenOver(request, reply, onRequestOver)
      setBaseHeaders(request, reply)
      const allowed = corsOrigins.find((each) => each === request.headers.origin)
      reply.headers(originHeaders(corsOrigins, allowed))
      // The limits of callers do not count this request. The next one has to open a connection first.
      reply.header('connection', 'close')
      sendProblem(new Failure(code), request, reply)
    },
    clientErrorHandler: (error: Error, socket: OccupiedSocket) => {
      const { code = '', rawPacket } = error as ClientError
      // Node.js expects a request on each new connection at once. One that was opened in advance may be idle.
      if (code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket.bytesRead === 0) return
      if (code === 'ECONNRESET' || !socket.writable) socket.destroy()
      else refuse(malformedCodes[code] ?? 'malformed_request', socket, rawPacket?.toString('latin1'))
    },
  })
  // Node.js would answer an unknown expectation with an empty 417, and CONNECT with nothing. It would write 100 (Continue), which
  // no request needs, into the middle of an earlier response.
  for (const event of ['checkExpectation', 'checkContinue'])
    app.server.on(event, (request, response) => app.server.emit('request', request, response))
  app.server.on('connect', (_request, socket: OccupiedSocket) => refuse('method_not_allowed', socket))
  return { app, connections }
}

/** The last segment of such a path is an id. */
const namesContact = /^[^?#]*\/execution-contacts\//

const wellFormedRequestId = /^[\w.-]{1,64}$/

/** The caller's request id, if it is safe to log and contains no key by mistake; otherwise a new one. */
function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  const isSafe = typeof given === 'string' && wellFormedRequestId.test(given) && !given.includes(keyPrefix)
  return isSafe ? given : randomUUID()
}

/** An error of the parser has the bytes in which it occurred, which Fastify describes wrongly. */
type ClientError = Error & { readonly code?: string; readonly rawPacket?: Buffer }

/** Node.js keeps the response in flight in this property, and its own handler checks it for the same reason. */
type OccupiedSocket = Socket & { readonly _httpMessage?: object | null }

/** The code of the problem for an error code of Node.js. Any other error is a `malformed_request`. */
const malformedCodes: Readonly<Record<string, FailureCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** There is no request to reply to, so the response is written to the socket. */
function writeProblem(code: FailureCode, socket: Socket, originHeaders: object, logger: FastifyBaseLogger): void {
  const failure = new Failure(code)
  const { status, title } = failureKinds[code]
  const requestId = randomUUID()
  const body = JSON.stringify(presentProblem(failure, '/', requestId))
  const headers = {
    ...dataHeaders,
    ...originHeaders,
    'content-type': problemMediaType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-request-id': requestId,
    ...(failure.retryAfterSeconds !== null && { 'retry-after': failure.retryAfterSeconds }),
    ...(code === 'method_not_allowed' && { allow: 'GET, HEAD' }),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  logger.info({ requestId, status, err: failure }, 'malformed request rejected')
  socket.write(`HTTP/1.1 ${status} ${title}\r\n${lines.join('')}\r\n${body}`)
  socket.destroySoon()
}

type Schema = Parameters<typeof fastJson>[0]

/**
 * Compiles the schema of a response with the first one. Most routes send bytes and never need it. Compiling all of them took
 * most of the start time.
 */
function buildSerializer(sharedSchemas: unknown) {
  return ({ schema }: { readonly schema?: unknown }) => {
    let serialize: ((body: unknown) => string) | undefined
    return (body: unknown) => {
      serialize ??= fastJson(schema as Schema, { schema: sharedSchemas as Record<string, Schema> })
      return serialize(body)
    }
  }
}
