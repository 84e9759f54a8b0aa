import { createHmac } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Logger } from 'pino'
import type { Caller } from '../access/caller.ts'
import type { Profile } from '../access/profile.ts'
import type { Secret } from '../common/secret.ts'

/** One response that showed a caller data of a contact. */
export interface Disclosure {
  /** As in the request log. */
  readonly requestId: string
  /** As in the request log. */
  readonly traceId: string | undefined
  readonly caller: Caller
  /** The profile of the response, which is the caller's or a narrower one. */
  readonly profile: Profile
  readonly view: string
  /** The id of the execution contact, in lower case. */
  readonly id: string
  /** A 304 tells the caller that nothing has changed. */
  readonly status: 200 | 304
  /** What the cache did: `hit`, or why Hilos was asked, in the words of RFC 9211. */
  readonly cache: string
}

const maxCachedPseudonyms = 10_000

/**
 * Writes the record of disclosure: one log line per response that showed data, `"record":"disclosure"`, at a level of its
 * own. The line has no id. `contact` is the first half of HMAC-SHA-256(key, id) in hexadecimal: with the key the lines of
 * an id can be found, but not the id of a line.
 * @param level a level of pino; above `info` there is no record
 */
export function createDisclosureRecord(logger: Logger, level: string, key: Secret): (disclosure: Disclosure) => void {
  const record = logger.child({ record: 'disclosure' }, { level })
  const pseudonyms = new LRUCache<string, string>({
    max: maxCachedPseudonyms,
    memoMethod: (id) => createHmac('sha256', key.reveal()).update(id).digest('hex').slice(0, 32),
  })

  return ({ id, caller, ...facts }) =>
    record.info({ caller: caller.name, kind: caller.kind, ...facts, contact: pseudonyms.memo(id) }, 'disclosed')
}
