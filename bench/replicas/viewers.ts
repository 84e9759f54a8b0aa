import { formatNumber } from '../statistics.ts'
import type { Answer } from './asker.ts'
import { replicaId } from './contacts.ts'
import { type Fleet, headersOf } from './fleet.ts'
import { both, type Part, type Stage } from './part.ts'

const viewers = 10
const pollMs = 300
const seconds = 18

/** Viewers of contacts that move, whose requests go to the replicas in turn. */
export const viewing: Part = {
  name: 'viewers',
  run: async (stage) => {
    const env = { HILOS_MAX_RPS: '5', CACHE_LIFETIME_SCALE: '1' }
    const measured = await both(stage, { env }, (fleet) => view(stage, fleet))
    const text = ({ older, answers }: Seen) =>
      `${older} of ${formatNumber(answers, 0)} (${formatNumber((100 * older) / answers, 1)} %)`
    return {
      promises: [
        {
          text: `${viewers} viewers of moving contacts go round the replicas: answers older than one they saw before`,
          bound: '0',
          measured: text(measured.shared),
          alone: text(measured.alone),
          isMet: measured.shared.older === 0,
        },
        {
          text: 'calls for them, revisions they saw, and requests that failed',
          bound: '',
          measured: `${measured.shared.calls}, ${measured.shared.revisions}, ${measured.shared.failed}`,
          alone: `${measured.alone.calls}, ${measured.alone.revisions}, ${measured.alone.failed}`,
          isMet: null,
        },
      ],
      data: measured,
    }
  },
}

interface Seen {
  readonly answers: number
  readonly older: number
  readonly failed: number
  readonly calls: number
  readonly revisions: number
}

async function view({ hilos, asker, progress }: Stage, { replicas }: Fleet): Promise<Seen> {
  progress(`${viewers} viewers for ${seconds} s`)
  const polls = (seconds * 1000) / pollMs
  const asked = Array.from({ length: viewers }, (_, viewer) =>
    Array.from({ length: polls }, (_, poll) => ({
      dueMs: poll * pollMs + (viewer * pollMs) / viewers,
      url: replicas[(viewer + poll) % replicas.length]?.urlOf(replicaId('moving', viewer)) ?? '',
      headers: headersOf(viewer),
    })),
  ).flat()
  const answers = await asker.ask(asked)
  const byViewer = Array.from({ length: viewers }, (_, viewer) => answers.slice(viewer * polls, (viewer + 1) * polls))
  return {
    answers: answers.length,
    older: byViewer.reduce((sum, each) => sum + each.filter((answer) => isOlder(answer, each)).length, 0),
    failed: answers.filter(({ status }) => status !== 200).length,
    calls: (await hilos.calls()).length,
    revisions: byViewer.reduce((sum, each) => sum + new Set(each.map(({ revision }) => revision)).size, 0),
  }
}

/** Whether a viewer had a newer answer before sending the request. */
function isOlder({ revision, sentMs }: Answer, answers: readonly Answer[]): boolean {
  if (revision === null) return false
  return answers.some((other) => other.endedMs <= sentMs && (other.revision ?? 0) > revision)
}
