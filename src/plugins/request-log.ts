import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'
import { type CacheUse, cacheWord } from '../cache/cache-status.ts'
import type { Failure } from '../failures/failure.ts'
import { failureKinds } from '../failures/failure-kinds.ts'
import { type Disclosure, tenths, writeRequestLine } from '../telemetry/request-line.ts'
import { type RequestRecord, traceIdOf } from '../telemetry/request-record.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the cache did; null when it was not asked, or when its work must stay hidden. */
    cacheUse: CacheUse | null
    /** What its line says that was written when the response was handed over; null when none was. */
    recorded: RequestRecord | null
  }
}

/** Called for each request when its response was sent, or when the caller has disconnected. */
export type OnRequestOver = (record: RequestRecord) => void

/** Writes the line of a request that shows data, before the data leaves. It shows none if the caller has disconnected. */
export type RecordDisclosure = (request: FastifyRequest, reply: FastifyReply, disclosure: Disclosure) => void

/**
 * Logs one line per request, at its end or when data is shown. The line has no id, query, header or body.
 * @param recordLevel a level of pino for the lines with a disclosure; above `info` there are none
 */
export function logRequests(app: FastifyInstance, recordLevel: string, onOver: OnRequestOver): RecordDisclosure {
  const logger = app.log as Logger
  app.decorateRequest('cacheUse', null).decorateRequest('recorded', null)
  app.addHook('onRequest', (request, reply, done) => {
    logWhenOver(request, reply, onOver)
    done()
  })
  if (!logger.child({}, { level: recordLevel }).isLevelEnabled('info')) return () => {}
  return (request, reply, disclosure) => {
    if (reply.raw.destroyed) return
    request.recorded = recordOf(request, reply, reply.statusCode)
    writeRequestLine(logger, request.recorded, disclosure, 'answered')
  }
}

/** Logs one request at its end, unless its line says all already. */
export function logWhenOver(request: FastifyRequest, reply: FastifyReply, onOver: OnRequestOver): void {
  reply.raw.once('close', () => {
    const status = reply.raw.writableFinished ? reply.statusCode : null
    const { recorded, failure } = request
    const record = recorded
      ? { ...recorded, status, durationMs: reply.elapsedTime, failure }
      : recordOf(request, reply, status)
    if (recorded === null || status === null || failure) log(request, record)
    onOver(record)
  })
}

function log(request: FastifyRequest, record: RequestRecord): void {
  const logger = request.log as Logger
  const message = record.status === null ? 'caller disconnected before the response' : 'answered'
  if (record.failure) logger[levelOf(record.failure)](lineOf(record), message)
  else if (logger.isLevelEnabled('info')) writeRequestLine(logger, record, null, message)
}

function recordOf(request: FastifyRequest, reply: FastifyReply, status: number | null): RequestRecord {
  const { failure, method, routeOptions, caller, cacheUse, headers } = request
  return {
    requestId: request.id,
    method,
    route: routeOptions.url ?? null,
    status,
    caller,
    traceId: traceIdOf(headers.traceparent),
    cache: cacheUse,
    durationMs: reply.elapsedTime,
    failure,
  }
}

/** A 504 that the caller asked for with `only-if-cached` is no trouble. */
function levelOf({ code }: Failure): 'info' | 'warn' | 'error' {
  const status = code === 'not_cached' ? 200 : failureKinds[code].status
  return status < 500 ? 'info' : status === 500 ? 'error' : 'warn'
}

function lineOf({ method, route, status, caller, traceId, cache, durationMs, failure }: RequestRecord) {
  return {
    method,
    route,
    status,
    ...(caller && { caller: caller.name }),
    ...(traceId && { traceId }),
    ...(cache && { cache: cacheWord(cache) }),
    ...(cache?.detail && { detail: cache.detail }),
    ...(cache && cache.waitedMs > 0 && { waitedMs: tenths(cache.waitedMs) }),
    durationMs: tenths(durationMs),
    err: failure,
  }
}
