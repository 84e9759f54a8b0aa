import { randomUUID } from 'node:crypto'
import { systemClock } from '../common/clock.ts'
import type { Secret } from '../common/secret.ts'
import type { HilosSettings } from './hilos-settings.ts'
import { createConnections } from './transport/connections.ts'
import { createExchange } from './transport/exchange.ts'
import { jsonOf } from './transport/parse-json.ts'
import { withoutTokens } from './transport/token-leak.ts'

export interface ProbeOptions
  extends Pick<HilosSettings, 'baseUrl' | 'proxy' | 'connectTimeoutMs' | 'maxBodyBytes' | 'timeoutMs'> {
  readonly token: Secret
  readonly userAgent: string
}

/**
 * Asks Hilos once about a random id, on a connection of its own, without queue, circuit breaker or retry. Returns whether
 * Hilos has a contact with that id: `absent` is the expected answer.
 * @throws Failure, one of the `upstream_` codes
 */
export async function probeHilos(options: ProbeOptions): Promise<'absent' | 'present'> {
  const { token, timeoutMs } = options
  const connections = createConnections({ ...options, maxConnections: 1, clock: systemClock })
  const exchange = createExchange({
    ...options,
    tokens: { all: () => [token] },
    observer: { tokenRefused: () => {} },
    clock: systemClock,
  })
  const [answer] = await Promise.allSettled([exchange(randomUUID(), token, connections.fresh(), timeoutMs, () => {})])
  await connections.destroy()
  if (answer.status === 'rejected') throw answer.reason
  const { content } = answer.value
  if (content === null) return 'absent'
  jsonOf(withoutTokens(await content.decoded(), content.tokens))
  return 'present'
}
