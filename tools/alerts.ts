import { readFileSync, writeFileSync } from 'node:fs'
import { parse, stringify } from 'yaml'

// `npm run alerts`: generates the PrometheusRule for Kubernetes from the rule file of Prometheus, which has the comments.
const rules = new URL('../deploy/prometheus/alerts.yaml', import.meta.url)
const resource = new URL('../deploy/kubernetes/components/monitoring/prometheus-rule.yaml', import.meta.url)

const prometheusRule = {
  apiVersion: 'monitoring.coreos.com/v1',
  kind: 'PrometheusRule',
  metadata: { name: 'hilos-bff', labels: { 'app.kubernetes.io/name': 'hilos-bff' } },
  spec: parse(readFileSync(rules, 'utf8')),
}
const heading = '# Generated from deploy/prometheus/alerts.yaml with `npm run alerts`. Change that file.\n'
writeFileSync(resource, heading + stringify(prometheusRule, { lineWidth: 0 }))
