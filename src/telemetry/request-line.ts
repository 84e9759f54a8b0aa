import { type Logger, pino } from 'pino'
import type { Caller } from '../access/caller.ts'
import type { Profile } from '../access/profile.ts'
import { cacheWord } from '../cache/cache-status.ts'
import type { RequestRecord } from './request-record.ts'

/** What a response showed its caller. With it, the line of the request is a line of the record of disclosure. */
export interface Disclosure {
  readonly kind: Caller['kind']
  /** The profile of the response, which is the caller's or a narrower one. */
  readonly profile: Profile
  readonly view: string
  /** The pseudonym of the contact. */
  readonly contact: string
}

/**
 * Writes the line of a request without a failure, byte for byte as pino does for the same fields, but faster: all values
 * except two are known to need no escapes. It checks no level. No mixin, hook or diagnostics channel of pino learns of it.
 */
export function writeRequestLine(
  logger: Logger,
  record: RequestRecord,
  disclosure: Disclosure | null,
  msg: string,
): void {
  const { [pino.symbols.streamSym]: output, [pino.symbols.timeSym]: time } = logger as unknown as Internals
  output.write(`{"level":30${time()}${fieldsOf(record, disclosure)},"msg":"${msg}"}\n`)
}

/** Properties of a logger of pino that its types leave out. */
interface Internals {
  readonly [pino.symbols.streamSym]: { readonly write: (line: string) => void }
  readonly [pino.symbols.timeSym]: () => string
}

function fieldsOf(record: RequestRecord, disclosure: Disclosure | null): string {
  const { requestId, method, route, status, caller, traceId, cache } = record
  let text = `,"requestId":"${requestId}"`
  if (disclosure) text += ',"record":"disclosure"'
  text += `,"method":"${method}","route":${JSON.stringify(route)},"status":${status}`
  if (caller) text += `,"caller":${JSON.stringify(caller.name)}`
  if (disclosure) {
    const { kind, profile, view, contact } = disclosure
    text += `,"kind":"${kind}","profile":"${profile}","view":"${view}","contact":"${contact}"`
  }
  if (traceId) text += `,"traceId":"${traceId}"`
  if (cache) {
    text += `,"cache":"${cacheWord(cache)}"`
    if (cache.detail) text += `,"detail":"${cache.detail}"`
    if (cache.waitedMs > 0) text += `,"waitedMs":${tenths(cache.waitedMs)}`
  }
  return `${text},"durationMs":${tenths(record.durationMs)}`
}

/** Milliseconds with one decimal. */
export const tenths = (ms: number) => Math.round(ms * 10) / 10
