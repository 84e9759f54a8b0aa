import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import type { CacheUse } from '../cache/cache-status.ts'
import { type Disclosure, writeRequestLine } from '../telemetry/request-line.ts'
import { type RequestRecord, traceIdOf } from '../telemetry/request-record.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the cache did; null when it was not asked, or when its work must stay hidden. */
    cacheUse: CacheUse | null
    /** Whether its line was written when the response was handed over. A stream has lines of its own instead. */
    isRecorded: boolean
    /** Whether it is a stream, or is held until something changes. */
    isWatch: boolean
  }
}

/** Called for each request when its response was sent, or when the caller has disconnected. */
export type OnRequestOver = (record: RequestRecord) => void

/** Writes the line of a request that shows data, before the data leaves. If the caller has disconnected, no data leaves. */
export type RecordDisclosure = (request: FastifyRequest, reply: FastifyReply, disclosure: Disclosure) => void

/**
 * Logs one line per request, at its end or when data is shown. The line has no id, query, header or body.
 * @param recordLevel a level of pino for the lines with a disclosure; above `info` there are none
 */
export function logRequests(app: FastifyInstance, recordLevel: string, onOver: OnRequestOver): RecordDisclosure {
  const logger = app.log as Logger
  app.decorateRequest('cacheUse', null).decorateRequest('isRecorded', false).decorateRequest('isWatch', false)
  app.addHook('onRequest', (request, reply, done) => {
    logWhenOver(request, reply, onOver)
    done()
  })
  if (!logger.child({}, { level: recordLevel }).isLevelEnabled('info')) return () => {}
  return (request, reply, disclosure) => {
    if (reply.raw.destroyed) return
    request.isRecorded = true
    writeRequestLine(logger, recordOf(request, reply, reply.statusCode), disclosure)
  }
}

/** Logs one request at its end, unless its line says all already. */
export function logWhenOver(request: FastifyRequest, reply: FastifyReply, onOver: OnRequestOver): void {
  reply.raw.once('close', () => {
    // A stream is answered from its first byte on.
    const isAnswered = request.isWatch ? reply.raw.headersSent : reply.raw.writableFinished
    const record = recordOf(request, reply, isAnswered ? reply.statusCode : null)
    if (!request.isRecorded || record.status === null || record.failure)
      writeRequestLine(request.log as Logger, record, null)
    onOver(record)
  })
}

function recordOf(request: FastifyRequest, reply: FastifyReply, status: number | null): RequestRecord {
  const { failure, method, routeOptions, caller, cacheUse, headers, isWatch } = request
  return {
    requestId: request.id,
    method,
    route: routeOptions.url ?? null,
    status,
    caller,
    traceId: traceIdOf(headers.traceparent),
    cache: cacheUse,
    durationMs: reply.elapsedTime,
    isWatch,
    failure,
  }
}
