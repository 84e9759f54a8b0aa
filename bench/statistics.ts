export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** All three are NaN without values. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? Number.NaN
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN
  return { median: (lower + upper) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN }
}

/** Divides values of the same round, so that a disturbance of a whole round cancels out. */
export function ratiosOf(values: readonly number[], base: readonly number[]): Spread {
  return spreadOf(values.flatMap((value, index) => value / (base[index] ?? Number.NaN)).filter(Number.isFinite))
}

/** Returns a quantile by the nearest-rank method; NaN without values. */
export function quantileOf(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

/** Returns for example `20.1 (19.8..22.4)`, or `-` without values. */
export function formatSpread({ median, min, max }: Spread, digits: number): string {
  if (Number.isNaN(median)) return '-'
  const format = (value: number) => formatNumber(value, digits)
  return min === max ? format(median) : `${format(median)} (${format(min)}..${format(max)})`
}

export function formatNumber(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
