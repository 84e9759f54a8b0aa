import { type CountedKeys, countIssuerKeys } from '../access/issuer-check.ts'
import { version } from '../common/version.ts'
import { type Config, ConfigError, loadConfig } from '../config/config.ts'
import { type Environment, readSettingsFiles, type SettingsFiles, secretNames } from '../config/settings.ts'
import type { Failure } from '../failures/failure.ts'
import { probeHilos } from '../upstream/probe.ts'
import { createFetch } from '../upstream/transport/connections.ts'
import { accessFindings, issuerFinding } from './access-findings.ts'
import { fileFindings } from './file-findings.ts'
import { type Finding, findingOf, note, ok } from './findings.ts'
import { hilosFindings } from './hilos-findings.ts'
import { type Outcome, type ProbeHilos, probeTokens } from './probes.ts'
import { proxyFindings } from './proxy-findings.ts'
import { settingsFindings } from './settings-findings.ts'
import { sharedTierFindings } from './shared-tier-findings.ts'

/**
 * Checks the settings, the token issuer, the shared tier and Hilos, as if the service started now. It opens no listener, logs nothing and
 * keeps no connection.
 * @param env the environment of the process
 * @param constrainedMemoryBytes as for `loadConfig`
 */
export async function examine(env: Environment, constrainedMemoryBytes = 0): Promise<Finding[]> {
  const files = await readSettingsFiles(env)
  const config = configFrom(env, constrainedMemoryBytes, files)
  if (config instanceof ConfigError)
    return [
      ...config.problems.map((problem) => findingOf('fail', problem)),
      note('Hilos', 'Hilos was not called, because the settings are not valid.'),
    ]
  const { hilos, access } = config
  return [
    ok('settings', 'The settings are valid.'),
    ...accessFindings(access),
    ...settingsFindings(config),
    ...secretFindings(env),
    ...fileFindings(files),
    ...proxyFindings(config, env),
    ...(access.tokens === null ? [] : [issuerFinding(await issuerKeys(access.tokens))]),
    ...(config.sharedTier === null ? [] : await sharedTierFindings(config.sharedTier)),
    ...hilosFindings(hilos, await probeTokens(hilos, probeWith(hilos))),
  ]
}

function configFrom(env: Environment, constrainedMemoryBytes: number, files: SettingsFiles): Config | ConfigError {
  try {
    return loadConfig(env, constrainedMemoryBytes, files)
  } catch (error) {
    return error as ConfigError
  }
}

function secretFindings(env: Environment): Finding[] {
  return secretNames
    .filter((name) => env[name]?.trim())
    .map((name) => note(name, `Other processes may read the environment of this one: ${name}_FILE is better.`))
}

function issuerKeys(tokens: NonNullable<Config['access']['tokens']>): Promise<CountedKeys | Failure> {
  return countIssuerKeys({ ...tokens, fetch: createFetch(tokens.jwksUrl, tokens) }).catch((failure: Failure) => failure)
}

function probeWith(settings: Config['hilos']): ProbeHilos {
  return (baseUrl, token) =>
    probeHilos({ ...settings, baseUrl, token, userAgent: `hilos-bff/${version}` }).catch(
      (failure: Failure): Outcome => failure,
    )
}
