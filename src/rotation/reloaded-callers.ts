import type { Logger } from 'pino'
import { createAccessTokens } from '../access/access-tokens.ts'
import { type Authenticate, createAuthentication } from '../access/authentication.ts'
import type { CallerEntry } from '../access/caller-entry.ts'
import { createCallerKeys } from '../access/caller-keys.ts'
import { readCallers } from '../access/callers-file.ts'
import type { PartStatus } from '../admin/health.ts'
import type { Config } from '../config/config.ts'
import type { Seams } from '../contacts/contacts.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { followFile, type Reading } from './reloaded-file.ts'

export interface KnownCallers {
  readonly authenticate: Authenticate
  /** How the callers' file is; null without one. */
  readonly status: () => PartStatus | null
  readonly close: () => void
}

/** All ways there are to know who calls: the keys in the callers' file, by now, and an issuer's access tokens. */
export function createKnownCallers(
  { callersFile, maxCallersFileBytes, tokens, maxRememberedTokens, allowAnonymous }: Config['access'],
  logger: Logger,
  metrics: Metrics,
  { now, elapsed }: Pick<Seams, 'now' | 'elapsed'>,
): KnownCallers {
  let entries = callersFile?.entries ?? []
  let keys = createCallerKeys(entries)
  const followed =
    callersFile &&
    followFile({
      setting: 'CALLERS_FILE',
      path: callersFile.path,
      known: callersFile.text,
      maxBytes: maxCallersFileBytes,
      read: readEntries,
      take: (value) => {
        entries = value
        keys = createCallerKeys(value)
        return { keys: value.length }
      },
      logger,
      metrics,
    })
  const onOutage = (failure: Error) => logger.warn({ err: failure }, 'the issuer of access tokens cannot be asked')

  return {
    authenticate: createAuthentication({
      keys: callersFile && (() => keys),
      tokens: tokens && createAccessTokens({ ...tokens, now, elapsed, onOutage, maxRemembered: maxRememberedTokens }),
      allowAnonymous,
    }),
    status: () =>
      followed && { ok: followed.problems().length === 0, keys: entries.length, problems: followed.problems() },
    close: () => followed?.close(),
  }
}

function readEntries(text: string): Reading<readonly CallerEntry[]> {
  const file = readCallers(text)
  return 'problems' in file ? file : { value: file.callers }
}
