import { readFileSync, writeFileSync } from 'node:fs'
import { parse, stringify } from 'yaml'

/** Writes the PrometheusRule of the Kubernetes deployment from the alert rules, which are Prometheus's own and have the comments. */
const rules = new URL('../deploy/prometheus/alerts.yaml', import.meta.url)
const resource = new URL('../deploy/kubernetes/components/monitoring/prometheus-rule.yaml', import.meta.url)

const prometheusRule = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'hilos-bff', labels: { 'app.kubernetes.io/name': 'hilos-bff' } },
  spec: parse(readFileSync(rules, 'utf8')),
}
const heading = '# Made of deploy/prometheus/alerts.yaml by `npm run alerts`: change it there.\n'
writeFileSync(resource, heading + stringify(prometheusRule, { lineWidth: 0 }))
