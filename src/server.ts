import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { Limits } from './config.ts'
import { Failure } from './errors.ts'
import { type FailureCode, failureKinds } from './failure-kinds.ts'
import { sendProblem } from './plugins/problems.ts'
import { setBaseHeaders } from './plugins/security-headers.ts'
import { presentProblem, problemMediaType } from './presentation/problem.ts'

/** An HTTP server without routes: bounded in every direction, and answering with a problem even what is not HTTP. */
export function createServer(limits: Limits, logger: FastifyBaseLogger): FastifyInstance {
  return Fastify({
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
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
    frameworkErrors: (_error, request, reply) => {
      const code = request.url.startsWith('/execution-contacts/') ? 'invalid_id' : 'malformed_request'
      setBaseHeaders(request, reply)
      sendProblem(new Failure(code), request, reply)
    },
    clientErrorHandler: (error, socket) => answerUnreadable(error, socket, logger),
  })
}

const wellFormedRequestId = /^[\w.-]{1,64}$/

/** The caller's, when it is harmless to repeat and to log. */
function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && wellFormedRequestId.test(given) ? given : randomUUID()
}

/** There is no request to reply to, so the answer is written by hand. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket, logger: FastifyBaseLogger): void {
  // The other side is gone.
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const failure = new Failure(codeOfUnreadable(error.code))
  const { status } = failureKinds[failure.code]
  const requestId = randomUUID()
  const body = JSON.stringify(presentProblem(failure, '/', requestId))
  logger.info({ requestId, status, err: failure }, 'answered what could not be read')
  socket.end(
    [
      `HTTP/1.1 ${status} ${failureKinds[failure.code].title}`,
      `content-type: ${problemMediaType}`,
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${requestId}`,
      'cache-control: no-store',
      'x-content-type-options: nosniff',
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  )
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
