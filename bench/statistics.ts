/** The middle of the values, and how far they spread. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** NaN for no values. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? Number.NaN
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN
  return { median: (lower + upper) / 2, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN }
}

/** Value by value, so that what disturbed a whole round cancels out. */
export function ratiosOf(values: readonly number[], base: readonly number[]): Spread {
  return spreadOf(values.flatMap((value, index) => value / (base[index] ?? Number.NaN)).filter(Number.isFinite))
}

/** The value below which the share of the values lies, by nearest rank. */
export function quantileOf(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length))
  return sorted[rank - 1] ?? Number.NaN
}

/** `20.1 (19.8..22.4)`, or `-` for nothing. */
export function formatSpread({ median, min, max }: Spread, digits: number): string {
  if (Number.isNaN(median)) return '-'
  const format = (value: number) => formatNumber(value, digits)
  return min === max ? format(median) : `${format(median)} (${format(min)}..${format(max)})`
}

export function formatNumber(value: number, digits: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
