import type { Clock } from '../common/clock.ts'
import type { SharedServer } from './shared-server.ts'

/** Tells the loads that follow those of other replicas when something has happened to their contacts. */
export function createChanges(server: Pick<SharedServer, 'onEvent' | 'onDetached'>, clock: Pick<Clock, 'schedule'>) {
  /** What to call, by contact. */
  const waiting = new Map<string, Set<() => void>>()
  const wake = (id: string) => {
    for (const hear of waiting.get(id) ?? []) hear()
  }
  const wakeAll = () => {
    for (const id of waiting.keys()) wake(id)
  }
  server.onEvent((event) => ('id' in event ? wake(event.id) : wakeAll()))
  server.onDetached(wakeAll)

  return {
    /** Hears of changes of a contact from now on, until it is ended. */
    begin: (id: string) => {
      let isChanged = false
      let endWait = () => {}
      const hear = () => {
        isChanged = true
        endWait()
      }
      const ofContact = waiting.get(id) ?? new Set()
      waiting.set(id, ofContact.add(hear))
      return {
        /** Forgets the changes so far. */
        reset: () => {
          isChanged = false
        },
        /** Resolves when there is a change since `reset`, and after so many milliseconds. */
        next: (ms: number) =>
          new Promise<void>((resolve) => {
            const cancel = clock.schedule(resolve, ms)
            endWait = () => {
              cancel()
              resolve()
            }
            if (isChanged) endWait()
          }),
        end: () => {
          ofContact.delete(hear)
          if (ofContact.size === 0) waiting.delete(id)
        },
      }
    },
  }
}
