import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type CacheUse, cacheWord } from '../cache/cache-status.ts'
import { failureKinds } from '../failures/failure-kinds.ts'
import { type RequestRecord, traceIdOf } from '../telemetry/request-record.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the cache did; null when it was not asked, or when its work must stay hidden. */
    cacheUse: CacheUse | null
  }
}

/** Called for each request when its response was sent, or when the caller has disconnected. */
export type OnRequestOver = (record: RequestRecord) => void

/** Logs one line per request at its end. The line has no id, query, header or body. */
export function logRequests(app: FastifyInstance, onOver: OnRequestOver): void {
  app.decorateRequest('cacheUse', null)
  app.addHook('onRequest', (request, reply, done) => {
    logWhenOver(request, reply, onOver)
    done()
  })
}

/** Logs one request at its end. */
export function logWhenOver(request: FastifyRequest, reply: FastifyReply, onOver: OnRequestOver): void {
  reply.raw.once('close', () => {
    const record = recordOf(request, reply)
    request.log[levelOf(record)](
      lineOf(record),
      record.status === null ? 'caller disconnected before the response' : 'answered',
    )
    onOver(record)
  })
}

function recordOf(request: FastifyRequest, reply: FastifyReply): RequestRecord {
  const { failure, method, routeOptions, caller, cacheUse, headers } = request
  return {
    method,
    route: routeOptions.url ?? null,
    status: reply.raw.writableFinished ? reply.statusCode : null,
    caller,
    traceId: traceIdOf(headers.traceparent),
    cache: cacheUse,
    durationMs: reply.elapsedTime,
    failure,
  }
}

/** A 504 that the caller asked for with `only-if-cached` is no trouble. */
function levelOf({ failure }: RequestRecord): 'info' | 'warn' | 'error' {
  const status = failure && failure.code !== 'not_cached' ? failureKinds[failure.code].status : 200
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
    ...(failure && { err: failure }),
  }
}

const tenths = (ms: number) => Math.round(ms * 10) / 10
