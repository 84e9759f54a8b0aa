import t, { type Test } from 'tap'
import { startService } from '../harness/service.ts'
import { textOf } from './deployment.ts'
import { labelsOf, labelValues, seriesOf, strangersIn } from './known-metrics.ts'
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

async function expositionIn(t: Test): Promise<string> {
  const { service } = await startService(t)
  return (await service.operators?.inject('/metrics'))?.body ?? ''
}

t.test('a panel, when it is drawn, asks for metrics and labels that there are', async (t) => {
  const series = seriesOf(await expositionIn(t))
  for (const { title, expr, legendFormat } of targets) {
    const query = queryOf(expr)
    t.strictSame(strangersIn(query, series), [], title)
    const labels = query.selectors.flatMap(({ metric }) => Object.keys(labelsOf(metric, series.get(metric) ?? '')))
    for (const label of labelsShownIn(legendFormat)) t.ok(labels.includes(label), `${title} shows ${label}`)
  }
  for (const { expr } of annotations) t.strictSame(strangersIn(queryOf(expr), series), [])
  for (const { definition } of variables.filter(({ type }) => type === 'query')) {
    const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(definition ?? '') ?? []
    t.strictSame(strangersIn(queryOf(selector), series), [])
    t.equal(label, 'instance')
  }
})

t.test('the dashboard, when it is looked at, shows every metric of ours', async (t) => {
  const series = seriesOf(await expositionIn(t))
  const shown = targets.flatMap(({ expr }) => queryOf(expr).selectors.map(({ metric }) => series.get(metric)))
  const ours = new Set([...series.values()].filter((metric) => metric.startsWith('hilos_bff_')))
  t.strictSame(
    [...ours].filter((metric) => !shown.includes(metric)),
    [],
  )
})

t.test('the labels that the other tests go by, when samples have some, are theirs', async (t) => {
  const { get, service } = await startService(t)
  await get('/execution-contacts/00000000-0000-4000-8000-000000000001')
  await get('/execution-contacts/00000000-0000-4000-8000-000000000001')
  await get('/execution-contacts/not-an-id')
  const body = (await service.operators?.inject('/metrics'))?.body ?? ''
  const series = seriesOf(body)
  const samples = [...body.matchAll(/^(hilos_bff_\w+)\{(.+)\} /gm)]
  t.ok(samples.length > 10)
  for (const [, name = '', inside = ''] of samples) {
    const metric = series.get(name) ?? ''
    const labels = Object.keys(labelsOf(name, metric)).filter((label) => label !== 'job' && label !== 'instance')
    t.strictSame([...inside.matchAll(/(\w+)="/g)].map(([, label]) => label).sort(), labels.sort(), name)
  }
  for (const metric of Object.keys(labelValues)) t.ok([...series.values()].includes(metric), metric)
})

t.test('the dashboard, when it is imported, asks the chosen data source and the chosen replicas', async (t) => {
  t.strictSame(
    variables.map(({ name, type }) => [name, type]),
    [
      ['datasource', 'datasource'],
      ['instance', 'query'],
    ],
  )
  for (const { datasource, expr, title } of targets) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana’s, not JavaScript’s
    t.equal(datasource.uid, '${datasource}', title)
    for (const { matchers } of queryOf(expr).selectors)
      t.ok(
        matchers.some(({ label, value }) => label === 'instance' && value === '$instance'),
        title,
      )
  }
  const used = [...text.matchAll(/\$\{?([a-z]\w*)/g)].map(([, name]) => name)
  t.strictSame([...new Set(used)].sort(), ['datasource', 'instance'])
})

t.test(
  'the panels, when they are laid out, have places of their own and a word about what is not obvious',
  async (t) => {
    t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)} ${y + Math.floor(index / w)}`),
    )
    t.equal(new Set(cells).size, cells.length)
    t.ok(panels.every(({ gridPos: { x, w } }) => x + w <= 24))
    t.strictSame(
      panels.filter(({ type }) => type === 'row').map(({ title }) => title),
      ['Traffic', 'Cache', 'Hilos', 'Process', 'Rotation and drift'],
    )
    for (const { title, description } of panels.filter(({ type }) => type === 'stat')) t.ok(description, title)
  },
)
