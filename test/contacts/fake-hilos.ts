import type { HilosClient } from '../../src/upstream/hilos-client.ts'
import { settled } from '../harness/timers.ts'

export const id = 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1'
/** As Hilos sends it. The contact is long enough, also in the views of a viewer, to be worth compressing. */
export const document = {
  id,
  status: 'RUNNING',
  status_reason: 'x'.repeat(2000),
  contact: { id: 'c' },
  flow: { id: 'F1', name: 'x'.repeat(2000) },
}

/** A Hilos with one contact. A test may change its documents and its failure at any time. */
export function createFakeHilos() {
  const hilos = {
    documents: new Map<string, object>([[id, document]]),
    failure: null as Error | null,
    /** How old its answers are when they arrive. */
    ageMs: 0,
    asked: [] as string[],
    /** For each call, whether a caller waited for it when it ended. */
    awaited: [] as boolean[],
  }
  const client: HilosClient = {
    getExecutionContact: async (requested, demand, read) => {
      hilos.asked.push(requested)
      await settled()
      hilos.awaited.push(demand.urgency() > 0)
      if (hilos.failure) throw hilos.failure
      const found = hilos.documents.get(requested)
      const revision = JSON.stringify(found)
      const content = found
        ? await read({ revision, tokens: [], decoded: async () => Buffer.from(revision) }, 8000)
        : null
      return { content, ageMs: hilos.ageMs }
    },
  }
  return { hilos, client }
}
