import type { Histogram, Registry } from 'prom-client'

type Labels = Readonly<Record<string, string>>

/**
 * Registers a histogram that costs little for each value: its series are found once, not by their labels each time. What it
 * exposes is what a histogram of prom-client would.
 * @param bounds of the buckets, in ascending order
 * @returns a function that finds or begins the series of some labels, and returns the one that observes a value of it
 */
export function registerHistogram(registry: Registry, name: string, help: string, bounds: readonly number[]) {
  const limits = [...bounds, Number.POSITIVE_INFINITY]
  const begin = (labels: Labels) => ({ labels, counts: limits.map(() => 0), sum: 0 })
  const all = new Map<string, ReturnType<typeof begin>>()

  const samplesOf = ({ labels, counts, sum }: ReturnType<typeof begin>) => {
    let count = 0
    const buckets = limits.map((limit, index) => {
      count += counts[index] as number
      const le = Number.isFinite(limit) ? limit : '+Inf'
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count }
    })
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }
  const get = async () => ({ name, help, type: 'histogram', values: [...all.values()].flatMap(samplesOf) })
  // The registry calls no other method.
  registry.registerMetric({ name, get } as unknown as Histogram)

  return (labels: Labels): ((value: number) => void) => {
    const key = JSON.stringify(labels)
    const series = all.get(key) ?? begin(labels)
    all.set(key, series)
    return (value) => {
      const bucket = limits.findIndex((limit) => value <= limit)
      series.counts[bucket] = (series.counts[bucket] as number) + 1
      series.sum += value
    }
  }
}
