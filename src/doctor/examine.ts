import { type CountedKeys, countIssuerKeys } from '../access/issuer-check.ts'
import { version } from '../common/version.ts'
import { type Config, ConfigError, loadConfig } from '../config/config.ts'
import { type Environment, fileNames, secretNames } from '../config/settings.ts'
import type { Failure } from '../failures/failure.ts'
import { askOnce } from '../upstream/probe.ts'
import { accessFindings, issuerFinding } from './access-findings.ts'
import { fileFinding, seenFile } from './file-findings.ts'
import { type Finding, findingOf, note, ok } from './findings.ts'
import { hilosFindings } from './hilos-findings.ts'
import { type AskHilos, consultHilos, type Outcome } from './probes.ts'
import { settingsFindings } from './settings-findings.ts'

/**
 * Looks at the settings and at those whom the service depends on, as it would see them if it started now. It listens
 * nowhere, logs nothing and leaves no connection behind.
 * @param env the environment of the process
 * @param constrainedMemoryBytes as `loadConfig` takes it
 */
export async function examine(env: Environment, constrainedMemoryBytes = 0): Promise<Finding[]> {
  const config = configFrom(env, constrainedMemoryBytes)
  if (config instanceof ConfigError)
    return [
      ...config.problems.map((problem) => findingOf('fail', problem)),
      note('Hilos', 'Hilos was not asked, because the settings are not in order.'),
    ]
  const { tokens } = config.access
  const { baseUrl, token, nextToken } = config.hilos
  const hilos = { baseUrl, token, nextToken }
  return [
    ok('settings', 'The settings are in order.'),
    ...accessFindings(config.access),
    ...settingsFindings(config),
    ...secretFindings(env),
    ...(tokens === null ? [] : [issuerFinding(await issuerAnswer(tokens.jwksUrl))]),
    ...hilosFindings(hilos, await consultHilos(hilos, askHilosBy(config.hilos))),
  ]
}

function configFrom(env: Environment, constrainedMemoryBytes: number): Config | ConfigError {
  try {
    return loadConfig(env, constrainedMemoryBytes)
  } catch (error) {
    return error as ConfigError
  }
}

function secretFindings(env: Environment): Finding[] {
  const isGiven = (name: string) => Boolean(env[name]?.trim())
  return [
    ...secretNames
      .filter(isGiven)
      .map((name) => note(name, `An environment can be read from outside the process: ${name}_FILE is better.`)),
    ...[...fileNames, 'CALLERS_FILE'].filter(isGiven).flatMap((name) => {
      const file = seenFile(String(env[name]))
      return file === null ? [] : [fileFinding(name, file)]
    }),
  ]
}

function issuerAnswer(jwksUrl: string): Promise<CountedKeys | Failure> {
  return countIssuerKeys({ jwksUrl }).catch((failure: Failure) => failure)
}

function askHilosBy(settings: Config['hilos']): AskHilos {
  return (baseUrl, token) =>
    askOnce({ ...settings, baseUrl, token, userAgent: `hilos-bff/${version}`, now: Date.now }).catch(
      (failure: Failure): Outcome => failure,
    )
}
