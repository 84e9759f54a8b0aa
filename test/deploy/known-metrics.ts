import type { Test } from 'tap'
import { profiles } from '../../src/access/profile.ts'
import { failureKinds } from '../../src/failures/failure-kinds.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createSharedTierObserver } from '../../src/telemetry/shared-tier-observer.ts'
import { startService } from '../harness/service.ts'
import { readings } from '../telemetry/readings.ts'
import type { Query } from './promql.ts'

/** The values of a label that an expression may name; null for any. */
type Values = readonly string[] | null

const codes = Object.keys(failureKinds)
const stores = ['contacts', 'renderings', 'absences', 'ownAbsences']
const cacheWords = ['hit', 'uri-miss', 'stale', 'request', 'none']

/** The labels of our metrics and their values. A metric that is missing here has no labels. */
export const labelValues: Readonly<Record<string, Readonly<Record<string, Values>>>> = {
  hilos_bff_build_info: { version: null, commit: null, node: null },
  hilos_bff_requests_total: {
    route: ['/execution-contacts', '/execution-contacts/:id'],
    status: null,
    profile: [...profiles, 'none'],
    cache: cacheWords,
  },
  hilos_bff_request_duration_seconds: { route: ['/execution-contacts/:id'], cache: cacheWords },
  hilos_bff_problems_total: { code: codes },
  hilos_bff_requests_shed_total: { reason: ['event-loop-delay', 'memory', 'log'] },
  hilos_bff_watchers: { kind: ['stream', 'poll'] },
  hilos_bff_upstream_calls_total: { outcome: ['found', 'absent', ...codes] },
  hilos_bff_circuit_breaker_state: { state: ['closed', 'open', 'half-open'] },
  hilos_bff_circuit_breaker_openings_total: { code: codes },
  hilos_bff_cache_entries: { store: stores },
  hilos_bff_cache_bytes: { store: stores },
  hilos_bff_cache_max_bytes: { store: stores },
  hilos_bff_cache_evictions_total: { store: stores },
  hilos_bff_cache_stale_answers_total: {
    detail: ['revalidating', 'rationed', 'backing-off', 'origin-failed', 'origin-slow'],
  },
  hilos_bff_requests_rationed_total: { answer: ['stale', 'problem'] },
  hilos_bff_contract_drift_total: { kind: ['unknown_field', 'wrong_type', 'unknown_value'], path: null },
  hilos_bff_token_refusals_total: { code: codes },
  hilos_bff_file_changes_total: { setting: null, outcome: ['used', 'refused'] },
  hilos_bff_part_ok: { part: ['hilosToken', 'callersFile', 'cacheKeyFile', 'hilos', 'log', 'sharedTier'] },
  hilos_bff_log_lines_lost_total: { kind: ['info', 'warning'] },
  hilos_bff_shared_tier_operations_total: { operation: null, outcome: null },
  hilos_bff_shared_tier_operation_seconds: { operation: null },
  hilos_bff_shared_tier_reads_total: { verdict: ['hit', 'stale', 'absent', 'failed', 'lead', 'follow', 'skipped'] },
  hilos_bff_shared_tier_puts_total: { verdict: ['stored', 'lost', 'older', 'full', 'too_large', 'skipped'] },
  hilos_bff_hilos_slots_total: { verdict: ['now', 'later', 'paused', 'share'] },
  nodejs_gc_duration_seconds: { kind: null },
}

/** The labels that Prometheus adds to every series. */
const targetLabels: Readonly<Record<string, Values>> = { job: ['hilos-bff'], instance: null }

/** The metrics of a service that has answered requests for these paths, with those of a shared tier, and their series. */
export async function scrape(t: Test, paths: readonly string[] = []) {
  const { get, service } = await startService(t)
  for (const path of paths) await get(path)
  const exposition = `${(await service.operators?.inject('/metrics'))?.body}\n${await sharedTierExposition()}`
  return { exposition, series: seriesOf(exposition) }
}

/** The metrics that only a service with a shared tier has. */
async function sharedTierExposition(): Promise<string> {
  const metrics = createMetrics()
  metrics.read(readings)
  createSharedTierObserver(metrics.registry, createLogger('silent', { write: () => {} }))
  const exposition = await metrics.exposition()
  return (exposition.match(/^(# TYPE )?hilos_bff_(shared_tier|hilos_slots)_.*$/gm) ?? []).join('\n')
}

/** The names of all series, each with the name of its metric: a histogram has three series. */
function seriesOf(exposition: string): ReadonlyMap<string, string> {
  // Prometheus adds this one.
  const series = new Map([['up', 'up']])
  for (const [, metric = '', type] of exposition.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    const endings = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    for (const ending of endings) series.set(`${metric}${ending}`, metric)
  }
  return series
}

/** Names what an expression asks for that does not exist, one sentence each. */
export function unknownIn({ selectors, grouping }: Query, series: ReadonlyMap<string, string>): string[] {
  const problems: string[] = []
  const allLabels = selectors.flatMap(({ metric }) => Object.keys(labelsOf(metric, series.get(metric) ?? metric)))
  for (const { metric, matchers } of selectors) {
    const known = series.get(metric)
    if (known === undefined) problems.push(`there is no metric ${metric}`)
    const labels = labelsOf(metric, known ?? metric)
    for (const { label, operator, value } of matchers) {
      const values = labels[label]
      if (values === undefined) problems.push(`${metric} has no label ${label}`)
      for (const each of operator.endsWith('~') ? value.split('|') : [value])
        if (values && !values.includes(each)) problems.push(`${label} of ${metric} is never ${each}`)
    }
    if (!matchers.some(({ label }) => label === 'job')) problems.push(`${metric} is asked for without its job`)
  }
  for (const label of grouping) if (!allLabels.includes(label)) problems.push(`there is no label ${label} to group by`)
  return problems
}

export function labelsOf(name: string, metric: string): Readonly<Record<string, Values>> {
  return { ...targetLabels, ...labelValues[metric], ...(name.endsWith('_bucket') && { le: null }) }
}
