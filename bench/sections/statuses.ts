import type { LoadResult } from '../load/plan.ts'

/** Returns the sums over all results, for example `5000 × 200, 3 × 503`. */
export function statusesIn(results: readonly LoadResult[]): string {
  const sums = new Map<string, number>()
  for (const { statuses } of results)
    for (const [status, count] of Object.entries(statuses)) sums.set(status, (sums.get(status) ?? 0) + count)
  return [...sums].map(([status, count]) => `${count} × ${status}`).join(', ')
}
