import type { Logger } from 'pino'
import type { PartStatus } from '../admin/health.ts'
import { Secret } from '../common/secret.ts'
import type { Config } from '../config/config.ts'
import { hilosTokenForm, largestSecretBytes } from '../config/settings.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { createHilosTokens, type HilosTokens } from '../upstream/calls/hilos-tokens.ts'
import { type FollowedFile, followFile, type Reading } from './reloaded-file.ts'

export interface TokensInUse {
  readonly tokens: HilosTokens
  readonly status: () => PartStatus
  readonly close: () => void
}

/** The tokens for Hilos; each is replaced when its file changes, and stays while the file has none. */
export function createTokensInUse(
  { token, tokenFile, nextToken, nextTokenFile }: Config['hilos'],
  logger: Logger,
  metrics: Metrics,
  now: () => number,
): TokensInUse {
  const tokens = createHilosTokens({ current: token, next: nextToken, now })
  const take = (place: 'current' | 'next') => (value: Secret) => {
    tokens.replace(place, value)
    return { tokenFingerprint: value.fingerprint() }
  }
  const common = { maxBytes: largestSecretBytes, read: readToken, logger, metrics }
  const followed: FollowedFile[] = []
  if (tokenFile !== null)
    followed.push(
      followFile({
        ...common,
        setting: 'HILOS_TOKEN_FILE',
        path: tokenFile,
        known: token.reveal(),
        take: take('current'),
      }),
    )
  if (nextTokenFile !== null)
    followed.push(
      followFile({
        ...common,
        setting: 'HILOS_TOKEN_NEXT_FILE',
        path: nextTokenFile,
        known: nextToken?.reveal(),
        take: take('next'),
        // Between two rotations there is no next token.
        doWithout: tokens.dropNext,
      }),
    )

  return {
    tokens,
    status: () => {
      const problems = followed.flatMap((file) => file.problems().map((problem) => `${file.setting}: ${problem}`))
      const inUseSince = new Date(tokens.inUseSince()).toISOString()
      return { ok: problems.length === 0, fingerprint: tokens.inUse().fingerprint(), inUseSince, problems }
    },
    close: () => {
      for (const file of followed) file.close()
    },
  }
}

function readToken(text: string): Reading<Secret> {
  return hilosTokenForm.test(text) ? { value: new Secret(text) } : { problems: ['must be visible ASCII, no spaces'] }
}
