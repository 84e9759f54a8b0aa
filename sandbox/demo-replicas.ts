import { parseArgs } from 'node:util'
import type { Config } from '../src/config/config.ts'
import type { DemoTier } from './demo-tier.ts'

export const usage = 'Usage: npm run demo -- [--replicas 1 to 9]\n'

/** The number of replicas that the arguments ask for, 1 by default; null if they are wrong. */
export function replicasIn(args: readonly string[]): number | null {
  try {
    const { replicas } = parseArgs({ args: [...args], options: { replicas: { type: 'string', default: '1' } } }).values
    return /^[1-9]$/.test(replicas) ? Number(replicas) : null
  } catch {
    return null
  }
}

/**
 * The configuration of each replica. One replica has the ports of the settings. Of several, replica N has the port of the callers
 * plus 10 + N, because the balancer has that port, and the port of the operators plus N - 1.
 * @param isShared whether they share the ration of calls; otherwise each gets an equal part
 */
export function configsOf(config: Config, replicas: number, isShared: boolean): readonly Config[] {
  const { callers, operators, hilos } = config
  if (replicas === 1) return [config]
  return Array.from({ length: replicas }, (_, index) => ({
    ...config,
    callers: { host: '127.0.0.1', port: callers.port && callers.port + 11 + index },
    operators: operators && { ...operators, port: operators.port + index },
    hilos: { ...hilos, maxCallsPerSecond: hilos.maxCallsPerSecond / (isShared ? 1 : replicas) },
  }))
}

interface Replica {
  /** The origin of its callers' listener. */
  readonly origin: string
  /** The origin of its operators' listener; null when it is turned off. */
  readonly operators: string | null
}

/**
 * Says what replicas share, where they are, and what to try with them.
 * @param get a command of curl, without options, that gets a contact from the balancer
 * @param path the path of this contact's entry in the cache
 */
export function aboutReplicas(replicas: readonly Replica[], tier: DemoTier | null, get: string, path: string): string {
  const numbers = replicas.map((_, index) => index + 1)
  const shares = tier
    ? `They share calls to Hilos, what they remember and what they forget by ${tier.name} (port ${tier.port}).`
    : `They share nothing, because neither valkey-server nor redis-server is installed: each may make 1/${replicas.length} of the calls.`
  const places = replicas.map(({ origin, operators }, index) => {
    const listener = operators === null ? '' : `, operators' listener ${operators}`
    return `    replica ${numbers[index]}: ${origin}${listener}\n`
  })
  const [{ operators: first = null } = {}] = replicas
  const forget = `
  Make replica 1 forget the contact, then get it from each replica again: ${tier ? 'all have forgotten it' : 'the others still have it'}.
    curl -i -X DELETE ${first}${path}`
  const stop = `
  Stop the server, and let it run again: the replicas serve meanwhile, each with its part of the calls.
    kill -STOP ${tier?.pid}
    kill -CONT ${tier?.pid}`
  return `${shares}
${places.join('')}
  Get one contact from each replica in turn. ${tier ? 'Only the first one asks Hilos.' : 'Each one asks Hilos.'}
    for n in ${numbers.join(' ')}; do ${get.replace('curl', 'curl -sI')} | grep -E '^(x-replica|cache-status)'; done${first === null ? '' : forget}${tier ? stop : ''}
`
}
