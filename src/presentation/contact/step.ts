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
    name: nullableText('What the flow’s authors call it.'),
    type: nullableText('In Hilos’s own word, for example QUESTION.'),
    status: StepStatusSchema,
    statusRaw: StatusRawSchema,
    reason: nullableText(
      `Why the status is what it is, if Hilos says so. Always null for a step that calls a URL. ${scrubbedText}`,
    ),
    reasonWithheld: flag('Hilos gives a reason, but the step calls a URL and the text may quote what was sent.'),
    hasError: flag('Hilos counts the step as having gone wrong.'),
    startedAt: nullableInstant('When the step began.'),
    changedAt: nullableInstant('When its status last changed.'),
    expiresAt: nullableInstant('When Hilos stops waiting.'),
    delayUntil: nullableInstant('When a delay ends.'),
    failedAttempts: count('How many answers did not pass the check.'),
    maxAttempts: nullable(count('How many answers may be tried; null without a limit.')),
    question: nullable(
      Type.Object(
        {
          answerType: text('In Hilos’s own word, for example SINGLE_OPTION.'),
          options: Type.Array(Type.String(), {
            description: `The options as written in the flow; empty where a variable fills them in. ${scrubbedWords}`,
          }),
        },
        { description: 'What the step asks for; null for a step that asks nothing.' },
      ),
    ),
    messageIds: Type.Array(Type.String(), {
      description: `The messages sent and received in this step, oldest first. ${withheldWamids}`,
    }),
  },
  { $id: 'Step', description: 'One step of the flow, as far as this contact got.' },
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

/** Whether what the step says and results in may quote a request or its reply: it makes one, or nothing says that it does not. */
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
