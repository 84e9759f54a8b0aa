import type { SecondTier, SecondTierListener, SharedQuery } from '../../src/contacts/second-tier.ts'

/** A second tier that does what a test says, and notes what it was asked for. At first it loads everything here. */
export function createFakeSecondTier() {
  const looked: string[] = []
  const queries: SharedQuery[] = []
  let listener: SecondTierListener | undefined
  const behaviour: { load: SecondTier['load']; look: SecondTier['look'] } = {
    load: async (_query, demand, loadHere) => (await loadHere(demand)).entry,
    look: async () => null,
  }
  const tier: SecondTier = {
    load: (query, demand, loadHere) => {
      queries.push(query)
      return behaviour.load(query, demand, loadHere)
    },
    look: (id, known) => {
      looked.push(id)
      return behaviour.look(id, known)
    },
    forget: async () => {},
    replicas: () => 1,
    listen: (given) => {
      listener = given
    },
  }
  return { tier, behaviour, queries, looked, listener: () => listener as SecondTierListener }
}
