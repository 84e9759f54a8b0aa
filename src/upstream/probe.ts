import { randomUUID } from 'node:crypto'
import type { Secret } from '../common/secret.ts'
import { type ConnectionsOptions, createConnections } from './transport/connections.ts'
import { createExchange, type ExchangeOptions } from './transport/exchange.ts'

export interface AskOnceOptions
  extends Omit<ConnectionsOptions, 'maxConnections'>,
    Pick<ExchangeOptions, 'userAgent' | 'now'> {
  readonly token: Secret
  /** For the whole call. */
  readonly timeoutMs: number
}

/**
 * Asks Hilos once about an id made up for it, on a connection of its own, without queue, circuit breaker or retry.
 * @returns what Hilos says of that id: `absent` is to be expected
 * @throws Failure, one of the `upstream_` codes
 */
export async function askOnce(options: AskOnceOptions): Promise<'absent' | 'present'> {
  const { token, timeoutMs } = options
  const { kept, fresh } = createConnections({ ...options, maxConnections: 1 })
  const exchange = createExchange({ ...options, tokens: { all: () => [token] } })
  const [asked] = await Promise.allSettled([exchange(randomUUID(), token, fresh, AbortSignal.timeout(timeoutMs))])
  await Promise.all([kept.destroy(), fresh.destroy()])
  if (asked.status === 'rejected') throw asked.reason
  return asked.value === undefined ? 'absent' : 'present'
}
