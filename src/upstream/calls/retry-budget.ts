/** Keeps retries to a share of the calls, so that they do not add to the trouble they are meant to mend. */
export interface RetryBudget {
  /** One more call is made. */
  readonly earn: () => void
  /** @returns whether one more retry may be made */
  readonly spend: () => boolean
}

export interface RetryBudgetOptions {
  /** Retries per call in the long run, from 0 to 1. */
  readonly share: number
  /** Retries saved up at most, and to begin with: a burst of connections lost at once is no outage yet. */
  readonly reserve: number
}

export function createRetryBudget({ share, reserve }: RetryBudgetOptions): RetryBudget {
  let balance = reserve
  return {
    earn: () => {
      balance = Math.min(reserve, balance + share)
    },
    spend: () => {
      const affordable = balance >= 1
      if (affordable) balance -= 1
      return affordable
    },
  }
}
