import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { keyPrefix } from '../access/keys.ts'
import type { Limits } from '../config/limits.ts'
import { Failure } from '../failures/failure.ts'
import { type FailureCode, failureKinds } from '../failures/failure-kinds.ts'
import { presentProblem, problemMediaType } from '../failures/problem.ts'
import { sendProblem } from '../plugins/problems.ts'
import { logWhenOver, type OnRequestOver } from '../plugins/request-log.ts'
import { dataHeaders, setBaseHeaders } from '../plugins/security-headers.ts'

export interface ServerOptions {
  /** Told of a request that no hook sees, when it is over and logged; unless given, it is not. */
  readonly onRequestOver?: OnRequestOver
  /** Told with what something was answered that could not be read as a request; nobody unless given. */
  readonly onUnreadable?: (code: FailureCode) => void
  /** Whether its end waits for nobody; false unless given. */
  readonly closesAtOnce?: boolean
}

/** An HTTP server without routes: bounded in every direction, and answering with a problem even what is not HTTP. */
export function createServer(limits: Limits, logger: FastifyBaseLogger, options: ServerOptions = {}): FastifyInstance {
  const { onRequestOver, onUnreadable = () => {}, closesAtOnce = false } = options
  const answerByHand = (code: FailureCode, socket: Duplex) => {
    onUnreadable(code)
    writeProblem(code, socket, logger)
  }
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestIdOf,
    connectionTimeout: limits.silentSocketMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    http: {
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.timeoutCheckMs,
      maxHeaderSize: limits.maxHeaderBytes,
      // Node would answer a missing Host by itself, with an empty body.
      requireHostHeader: false,
    },
    routerOptions: { maxParamLength: limits.maxUrlLength },
    // Requests on connections that are still open while the server closes are answered.
    return503OnClosing: false,
    ...(closesAtOnce && { forceCloseConnections: true }),
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
    // A path that cannot be decoded never reaches the schema of its route.
    frameworkErrors: (_error, request, reply) => {
      const code = namesContact.test(request.url) ? 'invalid_id' : 'malformed_request'
      if (onRequestOver) logWhenOver(request, reply, onRequestOver)
      setBaseHeaders(request, reply)
      sendProblem(new Failure(code), request, reply)
    },
    clientErrorHandler: (error, socket) => answerUnreadable(error, socket, answerByHand),
  })
  app.server.maxConnections = limits.maxConnections
  // Node would answer these two by itself: an unknown expectation with an empty 417, CONNECT with silence.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.server.on('connect', (_request, socket) => answerByHand('method_not_allowed', socket))
  return app
}

/** The last part of such a path is an id, whatever stands before it. */
const namesContact = /^[^?#]*\/execution-contacts\//

const wellFormedRequestId = /^[\w.-]{1,64}$/

/** The caller's, when it is harmless to repeat and to log, and no key in the wrong place. */
function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  const harmless = typeof given === 'string' && wellFormedRequestId.test(given) && !given.includes(keyPrefix)
  return harmless ? given : randomUUID()
}

/** Answers what could not be read as a request, unless the other side is gone or still waits for an earlier answer. */
function answerUnreadable(
  error: NodeJS.ErrnoException,
  socket: OccupiedSocket,
  answerByHand: (code: FailureCode, socket: Duplex) => void,
): void {
  const gone = error.code === 'ECONNRESET' || !socket.writable
  if (gone || socket._httpMessage) socket.destroy()
  else answerByHand(codeOfUnreadable(error.code), socket)
}

/** Node keeps the response under way there, and looks at it for the same reason in its own handler. */
type OccupiedSocket = Socket & { readonly _httpMessage?: object | null }

/** There is no request to reply to, so the answer is written by hand. */
function writeProblem(code: FailureCode, socket: Duplex, logger: FastifyBaseLogger): void {
  const failure = new Failure(code)
  const { status, title } = failureKinds[code]
  const requestId = randomUUID()
  const body = JSON.stringify(presentProblem(failure, '/', requestId))
  const headers = {
    ...dataHeaders,
    'content-type': problemMediaType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-request-id': requestId,
    ...(failure.retryAfterSeconds !== null && { 'retry-after': failure.retryAfterSeconds }),
    ...(code === 'method_not_allowed' && { allow: 'GET, HEAD' }),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  logger.info({ requestId, status, err: failure }, 'answered what is no request')
  socket.end(`HTTP/1.1 ${status} ${title}\r\n${lines.join('')}\r\n${body}`)
}

function codeOfUnreadable(code: string | undefined): FailureCode {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return 'headers_too_large'
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return 'request_timeout'
    default:
      return 'malformed_request'
  }
}
