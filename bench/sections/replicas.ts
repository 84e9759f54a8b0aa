import { valkeyServer } from '../../sandbox/valkey-server.ts'
import { absence } from '../replicas/absence.ts'
import { canary } from '../replicas/canary.ts'
import { cold } from '../replicas/cold.ts'
import { cost } from '../replicas/cost.ts'
import { absent, faults, sentinel } from '../replicas/faults.ts'
import { leader } from '../replicas/leader.ts'
import { type Part, type PartFindings, type Promised, runPart } from '../replicas/part.ts'
import { purge } from '../replicas/purge.ts'
import { ration } from '../replicas/ration.ts'
import { viewing } from '../replicas/viewers.ts'
import type { Bench, Findings, Section } from '../section.ts'

const parts: readonly Part[] = [cold, ration, purge, absence, viewing, leader, faults, sentinel, absent, cost, canary]

/** The promises of the shared tier, with three replicas, a real server and a fake Hilos that stamps the calls. */
export const replicas: Section = {
  name: 'replicas',
  parts: parts.map(({ name }) => name),
  run: async (bench) => {
    if (!valkeyServer)
      throw new Error('neither valkey-server nor redis-server is installed, and VALKEY_SERVER names none')
    const wanted = bench.flags.only.flatMap((name) => (name.startsWith('replicas/') ? [name.split('/')[1]] : []))
    const chosen = parts.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
    return findingsOf(await measure(bench, chosen))
  },
}

interface Measured {
  readonly part: string
  readonly findings: PartFindings | null
  readonly error: string | null
}

async function measure(bench: Bench, chosen: readonly Part[]): Promise<Measured[]> {
  const measured: Measured[] = []
  for (const part of chosen) {
    const { name } = part
    const progress = (text: string) => bench.progress(`${name}: ${text}`)
    try {
      const findings = await runPart(part, { ...bench, progress })
      measured.push({ part: name, findings, error: null })
      for (const each of findings.promises) bench.say(`  ${sentenceOf(each)}`)
    } catch (error) {
      measured.push({ part: name, findings: null, error: (error as Error).message })
      bench.say(`  ${name} ended early: ${(error as Error).stack}`)
    }
  }
  return measured
}

const verdictOf = ({ isMet }: Promised) => (isMet === null ? '' : isMet ? 'met' : 'MISSED')

function sentenceOf(promised: Promised): string {
  const { text, bound, measured, alone } = promised
  const beside = alone === '' ? '' : `; each for itself: ${alone}`
  return `${text}: ${measured}${bound === '' ? '' : ` (${bound})`}${beside} ${verdictOf(promised)}`
}

function findingsOf(measured: readonly Measured[]): Findings {
  const found = measured.flatMap(({ findings }) => (findings === null ? [] : [findings]))
  return {
    title: 'Three replicas and a shared tier',
    notes: [
      ...measured.flatMap(({ part, error }) => (error === null ? [] : [`${part} ended early: ${error}.`])),
      ...found.flatMap(({ notes = [] }) => notes),
    ],
    tables: [
      {
        columns: ['Promise', 'bound', 'measured', 'each for itself', 'verdict'],
        rows: found.flatMap(({ promises }) =>
          promises.map((each) => [each.text, each.bound, each.measured, each.alone, verdictOf(each)]),
        ),
      },
      ...found.flatMap(({ tables = [] }) => tables),
    ],
    goals: [],
    data: Object.fromEntries(measured.map(({ part, findings, error }) => [part, findings?.data ?? { error }])),
  }
}
