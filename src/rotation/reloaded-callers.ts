import type { Logger } from 'pino'
import { createAuthentication, createCallerKeys } from '../access/authentication.ts'
import type { CallerEntry } from '../access/caller-entry.ts'
import { parseCallers } from '../access/callers-file.ts'
import type { Clock } from '../common/clock.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { createFetch } from '../upstream/transport/connections.ts'
import { type Parsed, reloadFile } from './reloaded-file.ts'

export type ReloadedCallers = Readonly<Awaited<ReturnType<typeof createReloadedCallers>>>

/**
 * Authenticates callers by the keys in the callers file, which is reloaded when it changes, and by access tokens. What
 * verifies tokens is loaded only for a token issuer.
 */
export async function createReloadedCallers(
  { callersFile, maxCallersFileBytes, tokens, maxCachedTokens, allowAnonymous }: Config['access'],
  logger: Logger,
  metrics: Metrics,
  clock: Clock,
) {
  let entries = callersFile?.entries ?? []
  let keys = createCallerKeys(entries)
  const reloaded = callersFile?.path
    ? reloadFile({
        setting: 'CALLERS_FILE',
        path: callersFile.path,
        known: callersFile.text,
        maxBytes: maxCallersFileBytes,
        parse: parseEntries,
        use: (value) => {
          entries = value
          keys = createCallerKeys(value)
          return { keys: value.length }
        },
        logger,
        metrics,
      })
    : null
  const problems = () => reloaded?.problems() ?? []
  const onOutage = (failure: Error) => logger.warn({ err: failure }, 'token issuer is unavailable')
  const tokenOptions = tokens && {
    ...tokens,
    fetch: createFetch(tokens.jwksUrl, tokens),
    clock,
    onOutage,
    maxCached: maxCachedTokens,
  }

  return {
    authenticate: createAuthentication({
      keys: callersFile && (() => keys),
      tokens: tokenOptions && (await import('../access/access-tokens.ts')).createAccessTokens(tokenOptions),
      allowAnonymous,
    }),
    /** The state of the callers file, with the number of keys in use; null without a callers file. */
    status: () => callersFile && { ok: problems().length === 0, keys: entries.length, problems: problems() },
    close: () => reloaded?.close(),
  }
}

function parseEntries(text: string): Parsed<readonly CallerEntry[]> {
  const file = parseCallers(text)
  return 'problems' in file ? file : { value: file.callers }
}
