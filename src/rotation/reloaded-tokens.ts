import type { Logger } from 'pino'
import type { Clock } from '../common/clock.ts'
import { Secret } from '../common/secret.ts'
import type { Config } from '../config/config.ts'
import { hilosTokenForm, largestSecretBytes } from '../config/settings.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { createHilosTokens } from '../upstream/calls/hilos-tokens.ts'
import { type Parsed, reloadFile } from './reloaded-file.ts'

export type ReloadedTokens = Readonly<ReturnType<typeof createReloadedTokens>>

/** The Hilos tokens. Each one is replaced when its file changes, and stays in use while the file has no valid token. */
export function createReloadedTokens(
  { token, tokenFile, nextToken, nextTokenFile }: Config['hilos'],
  logger: Logger,
  metrics: Metrics,
  clock: Clock,
) {
  const tokens = createHilosTokens(token, nextToken, clock)
  const common = { maxBytes: largestSecretBytes, parse: parseToken, logger, metrics }
  const use = (place: 'current' | 'next') => (value: Secret) => {
    tokens.replace(place, value)
    return { tokenFingerprint: value.fingerprint() }
  }
  const files: ReturnType<typeof reloadFile>[] = []
  if (tokenFile !== null) {
    const setting = 'HILOS_TOKEN_FILE'
    files.push(reloadFile({ ...common, setting, path: tokenFile, known: token.reveal(), use: use('current') }))
  }
  if (nextTokenFile !== null) {
    const setting = 'HILOS_TOKEN_NEXT_FILE'
    const [known, path] = [nextToken?.reveal(), nextTokenFile]
    // There is no next token between two rotations.
    files.push(reloadFile({ ...common, setting, path, known, use: use('next'), useNone: tokens.dropNext }))
  }

  return {
    tokens,
    /** The state of the token files, and the token in use. `inUseSince` is an instant as in RFC 3339. */
    status: () => {
      const problems = files.flatMap((file) => file.problems().map((problem) => `${file.setting}: ${problem}`))
      const inUseSince = new Date(tokens.inUseSince()).toISOString()
      return { ok: problems.length === 0, fingerprint: tokens.inUse().fingerprint(), inUseSince, problems }
    },
    close: () => {
      for (const file of files) file.close()
    },
  }
}

function parseToken(text: string): Parsed<Secret> {
  return hilosTokenForm.test(text) ? { value: new Secret(text) } : { problems: ['must be visible ASCII, no spaces'] }
}
