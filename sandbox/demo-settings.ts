import type { Environment } from '../src/config/settings.ts'
import { publicToken } from './hilos.ts'

/** Settings that the demo does not take, because it must neither send nor show a real token. */
const settingsOfHilos = ['HILOS_TOKEN', 'HILOS_TOKEN_NEXT'].flatMap((name) => [name, `${name}_FILE`])
const notTaken = [...settingsOfHilos, 'HILOS_BASE_URL']

/** The settings of the demo, and the names of those that it does not take. */
export interface DemoSettings {
  readonly settings: Environment
  /** Those of `settings` that the environment did not give. */
  readonly chosen: readonly string[]
  readonly ignored: readonly string[]
}

/**
 * The settings in the environment, with defaults of the demo for what is missing. An empty value counts as unset.
 * @param makeCallersFile makes the callers file of the demo, and returns its path; called only if no other is given
 */
export function demoSettingsOf(env: Environment, baseUrl: string, makeCallersFile: () => string): DemoSettings {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim()))
  const ignored = notTaken.filter((name) => given[name] !== undefined)
  const taken = Object.fromEntries(Object.entries(given).filter(([name]) => !notTaken.includes(name)))
  const own = {
    HILOS_TOKEN: publicToken,
    HILOS_BASE_URL: baseUrl,
    ...(taken.CALLERS_FILE === undefined && { CALLERS_FILE: makeCallersFile() }),
    ...(taken.CONTACT_REF_KEY_FILE === undefined && { CONTACT_REF_KEY: 'sandbox contact ref key' }),
    // A browser, and curl without a header, get a response as well.
    DANGEROUSLY_ALLOW_ANONYMOUS: 'true',
  }
  const chosen = Object.keys(own).filter((name) => taken[name] === undefined)
  return { settings: { ...own, ...taken }, chosen, ignored }
}
