import { createHmac } from 'node:crypto'
import type { Logger } from 'pino'
import type { Disclosure } from '../access/disclosure.ts'
import type { Secret } from '../common/secret.ts'

/** Ids whose pseudonym is at hand. */
const maxRemembered = 10_000

/**
 * The record of who was shown whose data: a line each, `"record":"disclosure"`, in the log but with a level of its own.
 * No id is in it: `contact` is the first half of HMAC-SHA-256(key, id) in hexadecimal, so that whoever has the key can
 * find the lines about an id, and nobody can find the id of a line.
 * @param level pino's; `silent` keeps no record
 */
export function createDisclosureRecord(logger: Logger, level: string, key: Secret) {
  const record = logger.child({ record: 'disclosure' }, { level })
  const pseudonyms = new Map<string, string>()

  function pseudonymOf(id: string): string {
    const known = pseudonyms.get(id)
    if (known !== undefined) return known
    const pseudonym = createHmac('sha256', key.reveal()).update(id).digest('hex').slice(0, 32)
    if (pseudonyms.size >= maxRemembered) pseudonyms.clear()
    pseudonyms.set(id, pseudonym)
    return pseudonym
  }

  return ({ id, caller, ...facts }: Disclosure): void =>
    record.info({ caller: caller.name, kind: caller.kind, ...facts, contact: pseudonymOf(id) }, 'disclosed')
}
