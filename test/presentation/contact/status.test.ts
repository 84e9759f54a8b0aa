import t from 'tap'
import { hasEnded, presentRunStatus, presentStepStatus } from '../../../src/presentation/contact/status.ts'
import { checkRows, difference } from '../../harness/table.ts'

const runWords = ['READY', 'RUNNING', 'PAUSED', 'COMPLETED', 'CANCELED', 'EXPIRED', 'FAILED'] as const
const stepWords = ['WAITING_TO_START', 'NOT_EXECUTED', 'RUNNING', 'COMPLETED', 'CANCELED', 'FAILED', 'EXPIRED'] as const
const otherWords = ['UNKNOWN', 'ARCHIVED', 'running', ' RUNNING', '', 'constructor', '__proto__', null]

t.test('a status is a published word, or UNKNOWN with the word of Hilos beside it', async (t) => {
  for (const [present, published, others] of [
    [presentRunStatus, runWords, [...otherWords, 'WAITING_TO_START']],
    [presentStepStatus, stepWords, [...otherWords, 'READY']],
  ] as const) {
    const checkPublished = (status: string) => difference(present(status), { status, statusRaw: null })
    checkRows(t, published, checkPublished, 'every published word')
    const checkOther = (statusRaw: string | null) => difference(present(statusRaw), { status: 'UNKNOWN', statusRaw })
    checkRows(t, others, checkOther, 'every other word, and none')
  }
})

t.test('a run is over with four of the statuses', async (t) => {
  const terminal = [...runWords, 'UNKNOWN' as const].filter(hasEnded)
  t.strictSame(terminal, ['COMPLETED', 'CANCELED', 'EXPIRED', 'FAILED'])
})
