import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { argv, exit, platform } from 'node:process'
import { drawChart } from './chart.ts'
import { assignCores } from './cores.ts'
import { type Flags, readFlags, readOtherRun, usage } from './flags.ts'
import { describeMachine, loadNow } from './machine.ts'
import { progressOnStdout } from './progress.ts'
import { recordAnswers } from './recorded-answers.ts'
import { type Report, sectionText, writeReport } from './report.ts'
import type { Bench, Section } from './section.ts'
import { fair } from './sections/fair.ts'
import { fixedRate } from './sections/fixed-rate.ts'
import { growth } from './sections/growth.ts'
import { hits } from './sections/hits.ts'
import { manyKeys } from './sections/keys.ts'
import { live } from './sections/live.ts'
import { log } from './sections/log.ts'
import { memory } from './sections/memory.ts'
import { misses } from './sections/misses.ts'
import { notModified } from './sections/not-modified.ts'
import { profile } from './sections/profile.ts'
import { refresh } from './sections/refresh.ts'
import { replicas } from './sections/replicas.ts'
import { documentSizes } from './sections/sizes.ts'
import { soak } from './sections/soak.ts'
import { stampede } from './sections/stampede.ts'
import { startUp } from './sections/start-up.ts'
import { storm } from './sections/storm.ts'
import { wire } from './sections/wire.ts'
import { smoke } from './smoke/smoke.ts'
import { recordedPath } from './subjects/ceiling.ts'
import { service } from './subjects/service.ts'
import { startUpstream } from './upstream/upstream.ts'

/** `npm run bench`: all sections, in the order in which they run. */
const sections: readonly Section[] = [
  hits,
  log,
  manyKeys,
  notModified,
  fixedRate,
  misses,
  refresh,
  documentSizes,
  growth,
  stampede,
  storm,
  fair,
  wire,
  memory,
  startUp,
  profile,
  live,
  soak,
  replicas,
]
/** The sections that run only if they are named, because they take long. */
const byNameOnly: readonly Section[] = [live, soak, replicas]

const { say, progress } = progressOnStdout
const scratch = mkdtempSync(join(tmpdir(), 'hilos-bff-bench-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }))
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => exit(0))

const otherRun = readOtherRun(argv.slice(2))
if (otherRun?.kind === 'draw') {
  drawChart(otherRun.report)
  exit(0)
}
if (otherRun?.kind === 'smoke') exit((await smoke(otherRun.against, scratch, { say, progress })) ? 0 : 1)

// Only the smoke run fails a build. The others print errors, and their exit status is 0.
try {
  if (platform !== 'linux') say('The bench runs on Linux only, because it reads /proc and pins processes to cores.')
  else await run(readFlags(argv.slice(2)))
} catch (error) {
  say(
    `The bench ended early: ${(error as Error).stack}\n${usage}\nSections: ${sections.map(({ name }) => name).join(' ')}`,
  )
}
exit(0)

async function run(flags: Flags): Promise<void> {
  const names = sections.flatMap(({ name, parts = [] }) => [name, ...parts.map((part) => `${name}/${part}`)])
  const unknown = flags.only.filter((wanted) => !names.includes(wanted))
  if (unknown.length > 0) throw new Error(`unknown section: ${unknown.join(', ')}`)
  const chosen = sections.filter((section) =>
    flags.only.length === 0
      ? !byNameOnly.includes(section)
      : flags.only.some((wanted) => wanted.split('/')[0] === section.name),
  )
  const cores = assignCores()
  const machine = describeMachine(cores.description)
  say(`${machine.commit} on ${machine.cpu}: ${cores.description}`)
  const upstream = await startUpstream(cores)
  const bench: Bench = { flags, say, progress, cores, upstream, scratch, freshNumbers: createNumbers() }
  await recordForCeiling(bench)

  const found: Report['sections'][number][] = []
  for (const [index, { name, run: runSection }] of chosen.entries()) {
    const prefix = `${name} (${index + 1} of ${chosen.length})`
    progress(prefix)
    try {
      const findings = await runSection({ ...bench, progress: (text) => progress(`${prefix}, ${text}`) })
      found.push({ name, ...findings })
      say(`\n${sectionText(findings)}\n`)
    } catch (error) {
      say(`${name} ended early: ${(error as Error).stack}`)
    }
  }
  await upstream.stop()
  say(`\nThe report is in ${writeReport({ machine: { ...machine, loadAfter: loadNow() }, flags, sections: found })}`)
}

async function recordForCeiling(bench: Bench): Promise<void> {
  const missing = service.missing()
  if (missing) throw new Error(missing)
  const subject = await service.start(bench)
  await recordAnswers(subject, recordedPath(bench.scratch))
  await subject.stop()
}

/** Document 0 is the one that all requests for a hit ask for. */
function createNumbers(): (count: number) => number {
  let next = 1
  return (count) => {
    const first = next
    next += count
    return first
  }
}
