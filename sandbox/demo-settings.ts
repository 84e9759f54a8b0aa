import type { Environment } from '../src/config/settings.ts'
import { publicToken } from './hilos.ts'

/** Settings that the demo does not take, because it must neither send nor show a real token, nor take part in a real shared tier. */
const notTaken = [
  ...['HILOS_TOKEN', 'HILOS_TOKEN_FILE', 'HILOS_TOKEN_NEXT', 'HILOS_TOKEN_NEXT_FILE', 'HILOS_BASE_URL'],
  ...['REDIS_URL', 'REDIS_URL_FILE', 'REDIS_CA_FILE', 'REDIS_KEY_PREFIX', 'CACHE_KEY_FILE', 'REPLICAS_EXPECTED'],
]

/**
 * The settings in the environment, with defaults of the demo for what is missing. An empty value counts as unset.
 * @param makeCallersFile makes the callers file of the demo, and returns its path; called only if no other is given
 * @param tier the settings of the shared tier of the demo; empty without one
 * @returns `chosen` are those of the settings that the environment did not give; `ignored` are those that the demo does not take
 */
export function demoSettingsOf(
  env: Environment,
  baseUrl: string,
  makeCallersFile: () => string,
  tier: Environment = {},
) {
  const given = Object.entries(env).filter(([, value]) => value?.trim())
  const ignored = notTaken.filter((name) => given.some(([each]) => each === name))
  const taken = Object.fromEntries(given.filter(([name]) => !notTaken.includes(name)))
  const own = {
    HILOS_TOKEN: publicToken,
    HILOS_BASE_URL: baseUrl,
    ...tier,
    ...(taken.CALLERS_FILE === undefined && { CALLERS_FILE: makeCallersFile() }),
    ...(taken.CONTACT_REF_KEY_FILE === undefined && { CONTACT_REF_KEY: 'sandbox contact ref key' }),
    // A browser, and curl without a header, get a response as well.
    DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
  }
  const chosen = Object.keys(own).filter((name) => taken[name] === undefined)
  const settings: Environment = { ...own, ...taken }
  return { settings, chosen, ignored }
}
