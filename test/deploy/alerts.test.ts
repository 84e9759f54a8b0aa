import t from 'tap'
import { memoryLimits, textOf, yamlOf } from './deployment.ts'
import { labelsOf, scrape, unknownIn } from './known-metrics.ts'
import { labelsShownIn, queryOf } from './promql.ts'

interface Alert {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string; readonly runbook_url: string }
}

const rules = yamlOf('deploy/prometheus/alerts.yaml')
const alerts: readonly Alert[] = rules.groups.flatMap((group: { rules: Alert[] }) => group.rules)
const sections = [...textOf('docs/runbook.md').matchAll(/^#{2,3} (HilosBff.*)$/gm)].map(([, heading]) => heading)

t.test('the PrometheusRule is generated from the alerts by `npm run alerts`', async (t) => {
  t.strictSame(yamlOf('deploy/kubernetes/components/monitoring/prometheus-rule.yaml').spec, rules)
})

t.test('each alert asks for metrics and labels that exist', async (t) => {
  const { series } = await scrape(t)
  for (const { alert, expr } of alerts) t.strictSame(unknownIn(queryOf(expr), series), [], alert)
})

t.test('each alert has a severity, a description and a section in the runbook', async (t) => {
  const names = alerts.map(({ alert }) => alert)
  t.strictSame([...new Set(names)], names)
  t.strictSame(sections, names)
  for (const { alert, expr, labels, annotations } of alerts) {
    t.match(alert, /^HilosBff[A-Z]/)
    t.ok(['page', 'ticket'].includes(labels.severity), alert)
    t.strictSame(Object.keys(annotations).sort(), ['description', 'runbook_url', 'summary'], alert)
    t.equal(annotations.runbook_url, `docs/runbook.md#${alert.toLowerCase()}`)
    const { selectors, grouping } = queryOf(expr)
    const kept =
      grouping.length > 0 ? grouping : selectors.flatMap(({ metric }) => Object.keys(labelsOf(metric, metric)))
    for (const label of labelsShownIn(annotations.description)) t.ok(kept.includes(label), `${alert} has ${label}`)
  }
})

t.test('each alert that pages is tested, firing and not, and waits for some minutes', async (t) => {
  const { tests } = yamlOf('deploy/prometheus/alerts.test.yaml')
  const rows: readonly { alertname: string; exp_alerts: unknown[] }[] = tests.flatMap(
    (test: { alert_rule_test: unknown[] }) => test.alert_rule_test,
  )
  for (const { alert, for: duration } of alerts.filter(({ labels }) => labels.severity === 'page')) {
    const counts = rows.filter(({ alertname }) => alertname === alert).map(({ exp_alerts }) => exp_alerts.length)
    t.ok(counts.includes(0) && counts.includes(1), alert)
    t.match(duration, /^\d+m$/)
  }
})

t.test('the alert about memory has the limit of the deployments', async (t) => {
  const { expr } = alerts.find(({ alert }) => alert === 'HilosBffMemoryNearLimit') ?? { expr: '' }
  const [, mebibytes] = /> 0\.\d+ \* (\d+) \* 1024 \* 1024$/.exec(expr) ?? []
  const bytes = Number(mebibytes) * 1024 * 1024
  t.strictSame(memoryLimits(), { compose: bytes, kubernetes: bytes })
})
