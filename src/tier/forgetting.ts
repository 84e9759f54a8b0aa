import type { Clock } from '../common/clock.ts'
import type { SharedTierLimits } from '../config/limits.ts'
import type { SecondTierListener } from '../contacts/second-tier.ts'
import { Failure } from '../failures/failure.ts'
import { clear, contactKeys, forget, forgetGone, sweep } from './contact-scripts.ts'
import type { Events } from './events.ts'
import type { Names } from './names.ts'
import type { SharedTierObserver } from './observer.ts'
import type { RunScript, SharedServer } from './shared-server.ts'

export interface ForgettingOptions {
  readonly server: SharedServer
  readonly names: Pick<Names, 'contact'>
  readonly events: Pick<Events, 'encode'>
  readonly observer: Pick<SharedTierObserver, 'forgottenElsewhere'>
  readonly limits: Pick<SharedTierLimits, 'rememberedMs' | 'maxRemembered'>
  readonly clock: Pick<Clock, 'elapsed'>
}

/** Stands for all contacts. */
const all = null

/** What is to be forgotten. */
interface Memory {
  readonly at: number
  /** The purge that the server does not know yet; null if it knows. */
  untold: string | null
}

/**
 * What all replicas are to forget. What could not be told while the tier was away is told on the next attachment. If the server
 * has lost its memory, each replica tells again what it knows: another one may have missed it.
 */
export function createForgetting(options: ForgettingOptions) {
  const { server, names, events, observer, limits, clock } = options
  /** By contact, the oldest first. */
  const remembered = new Map<string | typeof all, Memory>()
  const listeners: Pick<SecondTierListener, 'gone' | 'forgotten' | 'cleared'>[] = []

  function remember(id: string | typeof all, untold: string | null): Memory {
    const memory = { at: clock.elapsed(), untold }
    // What the server does not know yet stays, whatever is heard.
    for (const key of id === all ? [...remembered.keys()] : [id])
      if (untold !== null || isTold(remembered.get(key))) remembered.delete(key)
    if (!remembered.has(id)) remembered.set(id, memory)
    for (const [key, { at }] of remembered)
      if (clock.elapsed() - at > limits.rememberedMs) remembered.delete(key)
      else break
    if (remembered.size > limits.maxRemembered) remember(all, [...remembered.values()].every(isTold) ? null : '')
    return memory
  }

  /** Returns the id of the event. */
  async function tell(run: RunScript, id: string | typeof all, memory: Memory): Promise<string> {
    const { untold } = memory
    const purge = untold ?? ''
    const eventId = await (id === all
      ? run(clear, [server.key('cleared'), server.key('ev')], events.encode({ kind: 'cleared', purge }))
      : run(
          purge === '' ? forgetGone : forget,
          contactKeys(server.key, names.contact(id)),
          events.encode({ kind: 'forgotten', id, purge }),
        ))
    memory.untold = null
    // It is as good as gone: no entry from before is used any more.
    if (id === all) sweepAll(run).catch(() => {})
    return String(eventId)
  }

  async function sweepAll(run: RunScript): Promise<void> {
    for (const kind of ['c', 'l']) {
      let cursor = '0'
      do cursor = String(await run(sweep, [server.key('cleared')], [cursor, server.key(`${kind}:*`)]))
      while (cursor !== '0')
    }
  }

  /** What cannot be told now is told on the next attachment. */
  const tellNow = (id: string | typeof all, memory: Memory) => void tell(server.run, id, memory).catch(() => {})

  server.onAttaching(async (run, { isMemoryLost, hasMissed }) => {
    if (hasMissed) for (const listener of listeners) listener.cleared()
    const told = [...remembered].filter(([, memory]) => isMemoryLost || !isTold(memory))
    await Promise.all(told.map(([id, memory]) => tell(run, id, memory)))
  })
  // What was to be forgotten while the tier was attaching.
  server.onAttached(() => {
    for (const [id, memory] of remembered) if (!isTold(memory)) tellNow(id, memory)
  })

  server.onEvent((event) => {
    if (event.kind !== 'forgotten' && event.kind !== 'cleared') return
    const isAll = event.kind === 'cleared'
    remember(isAll ? all : event.id, null)
    if (event.purge !== '') observer.forgottenElsewhere(isAll, event.purge)
    for (const listener of listeners)
      if (isAll) listener.cleared()
      else if (event.purge === '') listener.gone(event.id)
      else listener.forgotten(event.id)
  })

  return {
    /** Hears what other replicas want to be forgotten. */
    listen: (listener: Pick<SecondTierListener, 'gone' | 'forgotten' | 'cleared'>) => void listeners.push(listener),
    /** Tells other replicas that a contact does not exist, as soon as it can. */
    rememberGone: (id: string) => tellNow(id, remember(id, remembered.get(id)?.untold ?? '')),
    /** See `SecondTier.forget`. */
    forget: async (id: string | typeof all, purge: string): Promise<void> => {
      const memory = remember(id, purge)
      try {
        if (await server.isHeardByAll(await tell(server.run, id, memory))) return
      } catch {
        // The failure says what matters: it may not be forgotten everywhere.
      }
      throw new Failure('shared_tier_unavailable')
    },
  }
}

function isTold(memory: Memory | undefined): boolean {
  return typeof memory?.untold !== 'string'
}
