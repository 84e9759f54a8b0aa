import type { Service } from '../../src/app.ts'
import { settled } from './timers.ts'

/** Resolves when no call to Hilos is in flight. */
export async function noCallInFlight({ operators }: Service): Promise<void> {
  const inFlight = async () => (await operators?.inject('/readyz'))?.json().parts.hilos.callsInFlight
  while ((await inFlight()) > 0) await settled()
}
