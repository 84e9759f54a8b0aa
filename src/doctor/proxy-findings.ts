import type { Config } from '../config/config.ts'
import { httpsProxyIn, proxySwitch } from '../config/proxy.ts'
import type { Environment } from '../config/settings.ts'
import { type Finding, note } from './findings.ts'

/** Which destinations are reached through a proxy; empty when the environment has none. */
export function proxyFindings({ hilos, access: { tokens } }: Config, env: Environment): Finding[] {
  const subject = 'HTTPS_PROXY'
  if (httpsProxyIn(env) === undefined) return []
  if (env[proxySwitch] !== '1') return [note(subject, `It is not used, because ${proxySwitch} is not 1.`)]
  const ways = [
    ['Hilos', hilos.proxy] as const,
    ...(tokens === null ? [] : [['the token issuer', tokens.proxy] as const]),
  ].map(([destination, proxy]) => `${destination} ${proxy === null ? 'without' : 'through'} the proxy`)
  return [note(subject, `This service calls ${ways.join(', and ')}.`)]
}
