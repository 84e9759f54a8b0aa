import { type Static, Type } from 'typebox'
import { count, nullable, nullableInstant, nullableText, oneOf } from '../../common/schema.ts'
import type { HilosStepExecution } from '../../upstream/document/hilos-document.ts'
import { earliestOf, instantOf } from './instant.ts'

export const ProgressSchema = Type.Object(
  {
    steps: count('How many steps the contact has reached.'),
    completed: count('How many of them are completed.'),
    failed: count('How many of them failed.'),
    currentStepId: nullableText(
      'The id of the step that the contact is at; null before the first step and after the end of the run.',
    ),
    waitingFor: nullable(oneOf(['ANSWER', 'DELAY'], 'What the current step waits for; null if it waits for neither.')),
    expiresAt: nullableInstant('The next deadline of the current step.'),
  },
  { description: 'How far the run has got.' },
)

export type Progress = Static<typeof ProgressSchema>

export function presentProgress(steps: readonly HilosStepExecution[], terminal: boolean): Progress {
  const current = terminal ? undefined : currentOf(steps)
  return {
    steps: steps.length,
    completed: steps.filter(({ status }) => status === 'COMPLETED').length,
    failed: steps.filter(({ status }) => status === 'FAILED').length,
    currentStepId: current?.id ?? null,
    waitingFor: current ? waitOf(current) : null,
    expiresAt: current ? instantOf(earliestOf([current.expire_on, current.step?.delay_until ?? null])) : null,
  }
}

/** The last running step of the document, otherwise the last one that waits to start. */
function currentOf(steps: readonly HilosStepExecution[]): HilosStepExecution | undefined {
  return (
    steps.findLast(({ status }) => status === 'RUNNING') ??
    steps.findLast(({ status }) => status === 'WAITING_TO_START')
  )
}

function waitOf({ status, step }: HilosStepExecution): Progress['waitingFor'] {
  if (status !== 'RUNNING') return null
  if (step?.answer_type) return 'ANSWER'
  return step?.delay_until != null || step?.step_type?.toUpperCase() === 'DELAY' ? 'DELAY' : null
}
