import { type Static, Type } from 'typebox'
import {
  count,
  flag,
  nullable,
  nullableInstant,
  nullableText,
  scrubbedText,
  scrubbedWords,
  text,
  withheldWamids,
} from '../../common/schema.ts'
import type { HilosStepDefinition, HilosStepExecution } from '../../upstream/document/hilos-document.ts'
import { instantOf } from './instant.ts'
import { chronological } from './message.ts'
import { presentStepStatus, StatusRawSchema, StepStatusSchema } from './status.ts'

export const StepSchema = Type.Object(
  {
    id: nullableText('The id of this execution of the step.'),
    definitionId: nullableText('The id of the step in the flow.'),
    name: nullableText('The name that the authors of the flow gave it.'),
    type: nullableText('The kind of step, as Hilos calls it, for example QUESTION.'),
    status: StepStatusSchema,
    statusRaw: StatusRawSchema,
    reason: nullableText(
      `The reason for the status, if Hilos gives one. Always null for a step that calls a URL. ${scrubbedText}`,
    ),
    reasonWithheld: flag(
      'Whether a reason is withheld, because the step calls a URL and the reason may quote the data that was sent.',
    ),
    hasError: flag('Whether Hilos reports an error in this step.'),
    startedAt: nullableInstant('When the step started.'),
    changedAt: nullableInstant('When its status last changed.'),
    expiresAt: nullableInstant('When Hilos stops waiting for an answer.'),
    delayUntil: nullableInstant('When the delay of the step ends.'),
    failedAttempts: count('How many answers did not pass the validation.'),
    maxAttempts: nullable(count('How many answers the contact may try; null if there is no limit.')),
    question: nullable(
      Type.Object(
        {
          answerType: text('The kind of answer, as Hilos calls it, for example SINGLE_OPTION.'),
          options: Type.Array(Type.String(), {
            description: `The options as written in the flow; empty if a variable fills them in. ${scrubbedWords}`,
          }),
        },
        { description: 'The question of the step; null for a step that asks nothing.' },
      ),
    ),
    messageIds: Type.Array(Type.String(), {
      description: `The ids of the messages sent and received in this step, the oldest first. ${withheldWamids}`,
    }),
  },
  { $id: 'Step', description: 'One step of the flow, as this contact went through it.' },
)

export type Step = Static<typeof StepSchema>

export function presentStep(execution: HilosStepExecution): Step {
  const definition = execution.step
  const withheld = Boolean(execution.status_reason) && callsUrl(definition)
  return {
    id: execution.id,
    definitionId: definition?.id ?? null,
    name: definition?.name ?? null,
    type: definition?.step_type ?? null,
    ...presentStepStatus(execution.status),
    reason: withheld ? null : execution.status_reason,
    reasonWithheld: withheld,
    hasError: execution.has_error ?? false,
    startedAt: instantOf(execution.created_on),
    changedAt: instantOf(execution.status_last_change_on),
    expiresAt: instantOf(execution.expire_on),
    delayUntil: instantOf(definition?.delay_until ?? null),
    failedAttempts: execution.validation_failed_attempts ?? 0,
    maxAttempts: definition?.has_max_answer_attempts ? definition.max_answer_attempts : null,
    question: definition && questionOf(definition),
    messageIds: chronological(execution.messages).flatMap(({ id }) => id ?? []),
  }
}

/** Whether the step calls a URL, so that its texts and its result may quote the request or the reply. True if in doubt. */
export function callsUrl(definition: HilosStepDefinition | null): boolean {
  return (
    definition === null ||
    definition.has_action_request ||
    /ACTION|API|HTTP|HOOK|REQUEST/i.test(definition.step_type ?? 'ACTION')
  )
}

function questionOf({ answer_type, answer_options, has_options_from_variable }: HilosStepDefinition): Step['question'] {
  if (!answer_type) return null
  return { answerType: answer_type, options: has_options_from_variable ? [] : [...(answer_options ?? [])] }
}
