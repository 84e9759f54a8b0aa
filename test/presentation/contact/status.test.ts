import t from 'tap'
import { isTerminal, presentRunStatus, presentStepStatus } from '../../../src/presentation/contact/status.ts'

const runWords = ['READY', 'RUNNING', 'PAUSED', 'COMPLETED', 'CANCELED', 'EXPIRED', 'FAILED'] as const
const stepWords = ['WAITING_TO_START', 'NOT_EXECUTED', 'RUNNING', 'COMPLETED', 'CANCELED', 'FAILED', 'EXPIRED'] as const
const foreignWords = ['UNKNOWN', 'ARCHIVED', 'running', ' RUNNING', '', 'constructor', '__proto__'] as const

const presenters = [
  ['a run', presentRunStatus, runWords, 'WAITING_TO_START'],
  ['a step', presentStepStatus, stepWords, 'READY'],
] as const

for (const [subject, present, words, wordOfTheOther] of presenters) {
  t.test(
    `the status of ${subject}, when Hilos uses a published word, is that word and nothing beside it`,
    async (t) => {
      for (const word of words) t.strictSame(present(word), { status: word, statusRaw: null })
    },
  )

  t.test(`the status of ${subject}, when Hilos uses any other word, is UNKNOWN with the word beside it`, async (t) => {
    for (const word of [...foreignWords, wordOfTheOther])
      t.strictSame(present(word), { status: 'UNKNOWN', statusRaw: word })
  })

  t.test(`the status of ${subject}, when Hilos says none, is UNKNOWN without a word`, async (t) => {
    t.strictSame(present(null), { status: 'UNKNOWN', statusRaw: null })
  })
}

t.test('a run, by its status, is over at the four ends and nowhere else', async (t) => {
  const over = [...runWords, 'UNKNOWN' as const].filter(isTerminal)
  t.strictSame(over, ['COMPLETED', 'CANCELED', 'EXPIRED', 'FAILED'])
})
