import type { Service } from '../../src/app.ts'
import { settled } from './timers.ts'

/** Resolves when no call to Hilos is in flight, and all has happened that takes so many turns of the event loop. */
export async function noCallInFlight({ operators }: Service, turns = 1): Promise<void> {
  const inFlight = async () => (await operators?.inject('/readyz'))?.json().parts.hilos.callsInFlight
  do for (let turn = 0; turn < turns; turn += 1) await settled()
  while ((await inFlight()) > 0)
}

/** How many requests are held. */
export async function heldRequests({ operators }: Service): Promise<number> {
  const { body = '' } = (await operators?.inject('/metrics')) ?? {}
  return Number(/hilos_bff_watchers\{kind="poll"\} (\d+)/.exec(body)?.[1])
}
