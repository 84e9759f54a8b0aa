import type { HilosSettings } from '../hilos-settings.ts'

/** Limits retries to a share of the calls, so that they do not add to the load of a Hilos in trouble. */
export type RetryBudget = Readonly<ReturnType<typeof createRetryBudget>>

export function createRetryBudget({ share, reserve }: Pick<HilosSettings['retries'], 'share' | 'reserve'>) {
  let balance = reserve
  return {
    /** Counts one call. */
    earn: () => {
      balance = Math.min(reserve, balance + share)
    },
    /** Takes one retry from the budget, and returns whether there was one. */
    spend: () => {
      const affordable = balance >= 1
      if (affordable) balance -= 1
      return affordable
    },
  }
}
