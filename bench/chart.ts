import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Report } from './report.ts'
import type { Sample } from './sample.ts'
import { formatNumber, spreadOf } from './statistics.ts'

/** One kind of request, with the CPU time that each server needs for it. */
interface Panel {
  readonly title: string
  readonly bars: readonly Bar[]
}

interface Bar {
  readonly label: string
  /** CPU time per request in microseconds, the median of the rounds. */
  readonly micros: number
  readonly isOurs: boolean
}

type SampleLists = Readonly<Record<string, readonly Sample[]>>

const width = 960
const left = 250
const longestBar = 580
const rowHeight = 26
const headHeight = 78
const panelHeight = 46

const chartPath = fileURLToPath(new URL('../docs/cost.svg', import.meta.url))

/** Draws what a request costs here and elsewhere, from a report as JSON, into the documentation. */
export function drawChart(reportPath: string): void {
  writeFileSync(chartPath, chartOf(JSON.parse(readFileSync(reportPath, 'utf8'))))
}

/** Returns the chart as SVG. Sections that the report does not have are left out. */
function chartOf({ machine, sections }: Report): string {
  const dataOf = (name: string) => sections.find((section) => section.name === name)?.data
  const misses = dataOf('misses') as { readonly samples: SampleLists } | undefined
  const panels = [
    panelOf('A hit', dataOf('hits') as SampleLists | undefined, /log|varnishncsa/i),
    panelOf('A 304', dataOf('304') as SampleLists | undefined, /: 200$/),
    panelOf('A refresh that brings the same 55 kB', dataOf('refresh') as SampleLists | undefined, /^miss/),
    panelOf('A miss of 55 kB', misses?.samples, /^$/),
  ].filter(({ bars }) => bars.length > 0)
  const height = panels.reduce((sum, { bars }) => sum + panelHeight + bars.length * rowHeight, headHeight) + 12
  const source = `Commit ${machine.commit}, ${machine.date.slice(0, 10)}, ${machine.cpu}. "Full": the whole document of Hilos, with its secrets.`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title desc"
  font-family="ui-sans-serif, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif" font-size="14">
  <title id="title">What a request costs, here and elsewhere</title>
  <desc id="desc">${escaped(panels.map(sentenceOf).join(' '))}</desc>
  <style>
    .page { fill: #f4f5f7 } .ink { fill: #1c2430 } .soft { fill: #5b6675 } .bar { fill: #b3bcc8 } .ours { fill: #1273c4 }
    .title { font-size: 17px; font-weight: 600 } .head { font-weight: 600 } .label { font-size: 12px }
    @media (prefers-color-scheme: dark) {
      .page { fill: #12161c } .ink { fill: #e8ecf1 } .soft { fill: #9aa6b5 } .bar { fill: #47525f } .ours { fill: #5db2f5 }
    }
  </style>
  <rect class="page" width="${width}" height="${height}" rx="14"/>
  <text class="ink title" x="32" y="36">CPU time of the server for one request, in microseconds</text>
  <text class="soft label" x="32" y="58">${escaped(source)}</text>
${drawnPanels(panels)}
</svg>
`
}

function panelOf(title: string, samples: SampleLists = {}, leftOut: RegExp): Panel {
  const bars = Object.entries(samples)
    .filter(([name]) => !leftOut.test(name))
    .map(([name, turns]) => ({
      label: name.replace(/^refresh: |: 304$|, as shipped/g, '').replace(', constant', ''),
      micros: spreadOf(turns.map(({ cpuMicros }) => cpuMicros)).median,
      isOurs: name.includes('hilos-bff'),
    }))
  return { title, bars: bars.sort((a, b) => a.micros - b.micros) }
}

function drawnPanels(panels: readonly Panel[]): string {
  let top = headHeight
  return panels
    .map((panel) => {
      const drawn = drawnPanel(panel, top)
      top += panelHeight + panel.bars.length * rowHeight
      return drawn
    })
    .join('\n')
}

/** Each panel has a scale of its own, because a miss costs many times a hit. */
function drawnPanel({ title, bars }: Panel, top: number): string {
  const longest = Math.max(...bars.map(({ micros }) => micros))
  const rows = bars.map(({ label, micros, isOurs }, index) => {
    const y = top + panelHeight - 6 + index * rowHeight
    const length = Math.max(2, (micros / longest) * longestBar)
    const weight = isOurs ? ' head' : ''
    return `  <text class="ink label${weight}" x="${left - 12}" y="${y + 13}" text-anchor="end">${escaped(label)}</text>
  <rect class="${isOurs ? 'ours' : 'bar'}" x="${left}" y="${y}" width="${length.toFixed(1)}" height="18" rx="3"/>
  <text class="ink label${weight}" x="${(left + length + 8).toFixed(1)}" y="${y + 13}">${microsText(micros)}</text>`
  })
  return [`  <text class="ink head" x="32" y="${top + 24}">${escaped(title)}</text>`, ...rows].join('\n')
}

const sentenceOf = ({ title, bars }: Panel) =>
  `${title}: ${bars.map(({ label, micros }) => `${label} ${microsText(micros)} µs`).join(', ')}.`

const microsText = (micros: number) => formatNumber(micros, micros < 100 ? 1 : 0)

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
