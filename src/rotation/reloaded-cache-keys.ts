import type { Logger } from 'pino'
import { type CacheKeys, parseCacheKeys } from '../config/cache-keys.ts'
import { largestSecretBytes } from '../config/settings.ts'
import type { SharedTierConfig } from '../config/shared-tier.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Parsed, reloadFile } from './reloaded-file.ts'

export type ReloadedCacheKeys = Readonly<ReturnType<typeof createReloadedCacheKeys>>

/** The keys of the shared tier. Those that seal are replaced when their file changes, and stay in use while it is invalid. */
export function createReloadedCacheKeys(
  { cacheKeys, cacheKeyFile, cacheKeyText }: Pick<SharedTierConfig, 'cacheKeys' | 'cacheKeyFile' | 'cacheKeyText'>,
  logger: Logger,
  metrics: Pick<Metrics, 'fileChanged'>,
) {
  let keys = cacheKeys
  const reloaded =
    cacheKeyFile === null
      ? null
      : reloadFile({
          setting: 'CACHE_KEY_FILE',
          path: cacheKeyFile,
          known: cacheKeyText.reveal(),
          maxBytes: largestSecretBytes,
          parse: (text) => parseWithNames(text, cacheKeys),
          use: (value) => {
            keys = value
            return { keyIds: idsOf(value) }
          },
          logger,
          metrics,
        })
  const problems = () => reloaded?.problems() ?? []

  return {
    /** Another object after each change. */
    keys: () => keys,
    /** The state of the file, with the ids of the keys in use; the first one seals. */
    status: () => ({ ok: problems().length === 0, ids: idsOf(keys), problems: problems() }),
    close: () => reloaded?.close(),
  }
}

const idsOf = ({ seal }: CacheKeys) => seal.map(({ id }) => id)

/** Under another `names` this replica would find nothing of what the others store, and hear of nothing that they forget. */
function parseWithNames(text: string, { names }: CacheKeys): Parsed<CacheKeys> {
  const file = parseCacheKeys(text)
  if ('problems' in file) return file
  return file.keys.names.reveal() === names.reveal() ? { value: file.keys } : { problems: [otherNames] }
}

const otherNames =
  'names: must stay the same while the service runs, and a change of it needs a restart of all replicas'
