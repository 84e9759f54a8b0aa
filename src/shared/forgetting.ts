import type { Clock } from '../common/clock.ts'
import type { SecondTierListener } from '../contacts/second-tier.ts'
import { Failure } from '../failures/failure.ts'
import { clear, forget, sweep } from './contact-scripts.ts'
import type { Events } from './events.ts'
import type { Names } from './names.ts'
import type { SharedTierObserver } from './observer.ts'
import type { SharedServer } from './shared-server.ts'

export interface ForgettingOptions {
  readonly server: SharedServer
  readonly names: Pick<Names, 'contact'>
  readonly events: Pick<Events, 'encode'>
  readonly observer: Pick<SharedTierObserver, 'forgottenElsewhere'>
  readonly limits: {
    /** How long this replica remembers what is to be forgotten. */
    readonly rememberedMs: number
    /** Most contacts that it remembers as that. When there are more, all are to be forgotten. */
    readonly maxRemembered: number
  }
  readonly clock: Pick<Clock, 'elapsed'>
}

/** Stands for all contacts. */
const all = null

export type Forgetting = Readonly<ReturnType<typeof createForgetting>>

/**
 * What all replicas are to forget. What could not be told while the tier was away is told on the next attachment. If the server
 * has lost its memory, each replica tells again what it knows: another one may have missed it.
 */
export function createForgetting(options: ForgettingOptions) {
  const { server, names, events, observer, limits, clock } = options
  /** When each contact was forgotten, and the purge that the server does not know yet; null if it knows. */
  const remembered = new Map<string | typeof all, { readonly at: number; readonly untold: string | null }>()
  const listeners: Pick<SecondTierListener, 'forgotten' | 'cleared'>[] = []

  function remember(id: string | typeof all, untold: string | null): void {
    if (id === all) remembered.clear()
    remembered.delete(id)
    remembered.set(id, { at: clock.elapsed(), untold })
    for (const [key, { at }] of remembered)
      if (clock.elapsed() - at > limits.rememberedMs) remembered.delete(key)
      else break
    if (remembered.size > limits.maxRemembered) remember(all, '')
  }

  async function tell(id: string | typeof all, purge: string): Promise<string> {
    const stream = server.key('ev')
    if (id === all) {
      const eventId = await server.run(
        clear,
        [server.key('cleared'), stream],
        events.encode({ kind: 'cleared', purge }),
      )
      // It is as good as gone: no entry from before is used any more.
      sweepAll().catch(() => {})
      return String(eventId)
    }
    const name = names.contact(id)
    const keys = [server.key(`c:${name}`), server.key(`l:${name}`), stream]
    return String(await server.run(forget, keys, events.encode({ kind: 'forgotten', id, purge })))
  }

  async function sweepAll(): Promise<void> {
    for (const kind of ['c', 'l']) {
      let cursor = '0'
      do cursor = String(await server.run(sweep, [server.key('cleared')], [cursor, server.key(`${kind}:*`)]))
      while (cursor !== '0')
    }
  }

  server.onAttaching(async (isMemoryLost) => {
    for (const [id, { at, untold }] of [...remembered]) {
      if (untold === null && !isMemoryLost) continue
      await tell(id, untold ?? '')
      remembered.set(id, { at, untold: null })
    }
  })

  server.onEvent((event) => {
    if (event.kind !== 'forgotten' && event.kind !== 'cleared') return
    const isAll = event.kind === 'cleared'
    remember(isAll ? all : event.id, null)
    if (event.purge !== '') observer.forgottenElsewhere(isAll, event.purge)
    for (const listener of listeners) isAll ? listener.cleared() : listener.forgotten(event.id)
  })

  return {
    /** Hears what other replicas want to be forgotten. */
    listen: (listener: Pick<SecondTierListener, 'forgotten' | 'cleared'>) => void listeners.push(listener),
    /** Remembers that a contact does not exist, which other replicas could not be told. */
    rememberGone: (id: string) => remember(id, ''),
    /** See `SecondTier.forget`. */
    forget: async (id: string | typeof all, purge: string): Promise<void> => {
      remember(id, purge)
      try {
        const eventId = await tell(id, purge)
        remember(id, null)
        if (await server.isHeardByAll(eventId)) return
      } catch {
        // The failure says what matters: it may not be forgotten everywhere.
      }
      throw new Failure('shared_tier_unavailable')
    },
  }
}
