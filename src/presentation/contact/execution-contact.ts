import { flag, nullableInstant, refTo } from '../../common/schema.ts'
import { type Static, Type } from '../../common/type.ts'
import type { HilosDocument } from '../../upstream/document/hilos-document.ts'
import { AnswerSchema, presentAnswer } from './answer.ts'
import { type ContactOptions, ContactSchema, presentContact } from './contact.ts'
import { DeliverySchema } from './delivery.ts'
import { freeText, nullableId, personName } from './fields.ts'
import { FlowSchema, presentFlow } from './flow.ts'
import { instantOf, latestOf } from './instant.ts'
import { MessageSchema, presentMessages } from './message.ts'
import { stepsInOrder } from './order.ts'
import { nameOf } from './person.ts'
import { ProgressSchema, presentProgress } from './progress.ts'
import { withheldReasonsOf } from './reason.ts'
import { hasEnded, presentRunStatus, RunStatusSchema, StatusRawSchema, StepStatusSchema } from './status.ts'
import { presentStep, StepSchema } from './step.ts'

/** The schemas that the views reference by `$id`. */
export const sharedSchemas = [
  RunStatusSchema,
  StepStatusSchema,
  FlowSchema,
  ContactSchema,
  ProgressSchema,
  StepSchema,
  AnswerSchema,
  DeliverySchema,
  MessageSchema,
] as const

const summaryFields = {
  status: refTo(RunStatusSchema),
  statusRaw: StatusRawSchema,
  terminal: flag('Whether the run has ended: COMPLETED, CANCELED, EXPIRED or FAILED.'),
  reason: freeText('The reason for the status, if Hilos gives one.'),
  reasonWithheld: flag(
    'Whether a reason is withheld, because the run failed in a step that calls a URL, or the reason repeats that of such a ' +
      'step.',
  ),
  isTest: flag('Whether the run was started to test the flow.'),
  startedAt: nullableInstant('When the contact entered the flow.'),
  statusChangedAt: nullableInstant('When the status last changed.'),
  endedAt: nullableInstant('When the run ended; null until then.'),
  lastActivityAt: nullableInstant('The latest recorded time of the run, its steps and its messages.'),
  changedBy: personName('The name of the person who changed the status; null if no person did.'),
  executionId: nullableId('The id of the execution that this run is part of, for example a campaign.'),
  inboxContactId: nullableId('The id of the contact in the inbox; null if the contact was erased.'),
  flow: refTo(FlowSchema),
  contact: refTo(ContactSchema),
  progress: refTo(ProgressSchema),
}
const timelineFields = {
  ...summaryFields,
  steps: Type.Array(refTo(StepSchema), { description: 'The steps that Hilos names, in the order of their times.' }),
  answers: Type.Array(refTo(AnswerSchema), {
    description: 'One answer for each step that asked and was answered, in the order of the steps.',
  }),
}
const transcriptFields = {
  ...timelineFields,
  messages: Type.Array(refTo(MessageSchema), { description: 'The messages of all steps, the oldest first.' }),
}

/** The fields of every view, with the name of the view, by which types can be told apart. */
const ofView = <const Name extends string, F extends object>(name: Name, fields: F) => ({
  id: Type.String({ format: 'uuid', description: 'The id from the path, in lower case.' }),
  view: Type.Literal(name, { description: 'The view.' }),
  ...fields,
})

export const SummarySchema = Type.Object(ofView('summary', summaryFields), {
  $id: 'ExecutionContactSummary',
  description: 'The state of the run.',
})
export const TimelineSchema = Type.Object(ofView('timeline', timelineFields), {
  $id: 'ExecutionContactTimeline',
  description: 'The summary, the steps and the answers.',
})
export const TranscriptSchema = Type.Object(ofView('transcript', transcriptFields), {
  $id: 'ExecutionContactTranscript',
  description: 'The timeline and the messages.',
})

/** The widest view, unredacted: all data of one contact's run through a flow that may leave this service. */
export type ExecutionContact = Static<typeof TranscriptSchema>

/** Copies the data that may leave this service, field by field. A field that is not named here never leaves it. */
export function presentExecutionContact(document: HilosDocument, options: ContactOptions): ExecutionContact {
  const steps = stepsInOrder(document)
  const { status, statusRaw } = presentRunStatus(document.status)
  const terminal = hasEnded(status)
  const withheld = withheldReasonsOf(document)
  return {
    id: document.id,
    view: 'transcript',
    status,
    statusRaw,
    terminal,
    reason: withheld.ofRun ? null : document.status_reason,
    reasonWithheld: withheld.ofRun,
    isTest: document.is_test ?? false,
    startedAt: instantOf(document.created_on),
    statusChangedAt: instantOf(document.status_last_change_on),
    endedAt: terminal ? instantOf(document.status_last_change_on) : null,
    lastActivityAt: instantOf(lastActivity(document)),
    changedBy: document.status_triggered_by && nameOf(document.status_triggered_by),
    executionId: document.flow_execution,
    inboxContactId: document.contact?.is_deleted ? null : document.inbox_contact_id,
    flow: presentFlow(document),
    contact: presentContact(document.contact, options),
    progress: presentProgress(steps, terminal),
    steps: steps.map((step) => presentStep(step, withheld.ofStep(step))),
    answers: steps.flatMap((step) => presentAnswer(step) ?? []),
    messages: presentMessages(steps),
  }
}

function lastActivity({ created_on, status_last_change_on, execution_steps }: HilosDocument): number | null {
  let latest = latestOf([created_on, status_last_change_on])
  for (const step of execution_steps) {
    latest = latestOf([latest, step.created_on, step.status_last_change_on])
    for (const { timestamp, queued_on, accepted_on, sent_on, delivered_on, read_on, failed_on } of step.messages)
      latest = latestOf([latest, timestamp, queued_on, accepted_on, sent_on, delivered_on, read_on, failed_on])
  }
  return latest
}
