import type { Logger } from 'pino'
import type { PartStatus } from './admin/operators-app.ts'
import type { Config } from './config.ts'
import { followFile, type Reading } from './followed-file.ts'
import { Secret } from './secret.ts'
import { hilosTokenForm, largestSecretBytes } from './settings.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { createHilosTokens, type HilosTokens } from './upstream/hilos-tokens.ts'

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
): TokensInUse {
  const tokens = createHilosTokens({ current: token, next: nextToken })
  const follow = (setting: string, path: string | null, which: 'current' | 'next', known: Secret | null) =>
    path === null
      ? []
      : followFile({
          setting,
          path,
          maxBytes: largestSecretBytes,
          known: known?.reveal(),
          read: readToken,
          take: (value) => {
            tokens.replace(which, value)
            return { tokenFingerprint: value.fingerprint() }
          },
          logger,
          metrics,
        })
  const followed = [
    follow('HILOS_TOKEN_FILE', tokenFile, 'current', token),
    follow('HILOS_TOKEN_NEXT_FILE', nextTokenFile, 'next', nextToken),
  ].flat()

  return {
    tokens,
    status: () => {
      const problems = followed.flatMap((file) => file.problems())
      return { ok: problems.length === 0, fingerprint: tokens.inUse().fingerprint(), problems }
    },
    close: () => {
      for (const file of followed) file.close()
    },
  }
}

function readToken(text: string): Reading<Secret> {
  return hilosTokenForm.test(text) ? { value: new Secret(text) } : { problems: ['must be visible ASCII, no spaces'] }
}
