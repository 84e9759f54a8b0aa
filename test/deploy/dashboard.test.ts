import t from 'tap'
import { textOf } from './deployment.ts'
import { labelsOf, labelValues, scrape, unknownIn } from './known-metrics.ts'
import { labelsShownIn, queryOf } from './promql.ts'

interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly Target[]
}

interface Target {
  readonly expr: string
  readonly legendFormat: string
  readonly datasource: { readonly uid: string }
}

const text = textOf('deploy/grafana/hilos-bff.json')
const dashboard = JSON.parse(text)
const panels: readonly Panel[] = dashboard.panels
const targets = panels.flatMap((panel) => (panel.targets ?? []).map((target) => ({ ...target, title: panel.title })))
const variables: readonly { readonly name: string; readonly type: string; readonly definition?: string }[] =
  dashboard.templating.list
const annotations: readonly { readonly expr: string }[] = dashboard.annotations.list

t.test('each panel asks for metrics and labels that exist', async (t) => {
  const { series } = await scrape(t)
  for (const { title, expr, legendFormat } of targets) {
    const query = queryOf(expr)
    t.strictSame(unknownIn(query, series), [], title)
    const labels = query.selectors.flatMap(({ metric }) => Object.keys(labelsOf(metric, series.get(metric) ?? '')))
    for (const label of labelsShownIn(legendFormat)) t.ok(labels.includes(label), `${title} shows ${label}`)
  }
  for (const { expr } of annotations) t.strictSame(unknownIn(queryOf(expr), series), [])
  for (const { definition } of variables.filter(({ type }) => type === 'query')) {
    const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition ?? '') ?? []
    t.strictSame(unknownIn(queryOf(selector), series), [])
    t.equal(label, 'instance')
  }
})

t.test('the dashboard shows each of our metrics', async (t) => {
  const { series } = await scrape(t)
  const shown = targets.flatMap(({ expr }) => queryOf(expr).selectors.map(({ metric }) => series.get(metric)))
  const ours = [...series.values()].filter((metric) => metric.startsWith('hilos_bff_'))
  for (const metric of new Set(ours)) t.ok(shown.includes(metric), metric)
})

t.test('the samples have the labels that these tests know', async (t) => {
  const contact = '/execution-contacts/00000000-0000-4000-8000-000000000001'
  const { exposition, series } = await scrape(t, [contact, contact, '/execution-contacts/not-an-id'])
  const samples = [...exposition.matchAll(/^(hilos_bff_\w+)\{(.+)\} /gm)]
  t.ok(samples.length > 10)
  for (const [, name = '', inside = ''] of samples) {
    const metric = series.get(name) ?? ''
    const labels = Object.keys(labelsOf(name, metric)).filter((label) => label !== 'job' && label !== 'instance')
    t.strictSame([...inside.matchAll(/(\w+)="/g)].map(([, label]) => label).sort(), labels.sort(), name)
  }
  for (const metric of Object.keys(labelValues)) t.ok([...series.values()].includes(metric), metric)
})

t.test('each panel asks the chosen data source about the chosen replicas', async (t) => {
  const types = variables.map(({ name, type }) => `${name} ${type}`)
  t.strictSame(types, ['datasource datasource', 'instance query'])
  for (const { datasource, expr, title } of targets) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana’s, not JavaScript’s
    t.equal(datasource.uid, '${datasource}', title)
    for (const { matchers } of queryOf(expr).selectors)
      t.equal(matchers.find(({ label }) => label === 'instance')?.value, '$instance', title)
  }
  const used = [...text.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name]) => name)
  t.strictSame([...new Set(used)].sort(), ['datasource', 'instance'])
})

t.test('the panels do not overlap, and each single number has a description', async (t) => {
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`),
  )
  t.equal(new Set(cells).size, cells.length)
  t.ok(panels.every(({ gridPos: { x, w } }) => x + w <= 24))
  const rows = panels.filter(({ type }) => type === 'row').map(({ title }) => title)
  t.strictSame(rows, ['Traffic', 'Cache', 'Streams', 'Hilos', 'Shared tier', 'Process', 'Rotation and drift'])
  for (const { title, description } of panels.filter(({ type }) => type === 'stat')) t.ok(description, title)
})
