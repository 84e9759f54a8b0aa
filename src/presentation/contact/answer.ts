import { nullableInstant } from '../../common/schema.ts'
import { type Static, Type } from '../../common/type.ts'
import type { HilosMessage, HilosStepDefinition, HilosStepExecution } from '../../upstream/document/hilos-document.ts'
import { directionOf } from './author.ts'
import { answerValue, nullableId, nullableWords, words } from './fields.ts'
import { instantOf } from './instant.ts'
import { mediaOf } from './media.ts'
import { callsUrl } from './reason.ts'

export const AnswerSchema = Type.Object(
  {
    stepId: nullableId('The id of the step that asked.'),
    question: nullableWords('The name of that step.'),
    answerType: words('The kind of answer that the step asked for, as Hilos calls it, for example SINGLE_OPTION.'),
    value: answerValue(
      'The last answer that the contact wrote or chose, as Hilos recorded it. A place is a text with its coordinates. ' +
        'A file is its caption, or null: the service never tells where a file is.',
    ),
    at: nullableInstant('The time of the answer.'),
    messageId: nullableId('The id of the message with the answer; null if Hilos recorded only the result.'),
  },
  { $id: 'Answer', description: 'The answer of the contact to one step.' },
)

export type Answer = Static<typeof AnswerSchema>

/**
 * Returns the answer to a step that asked something: the last reply of the kind that the step asks for; otherwise the result
 * that Hilos recorded; otherwise the last other reply. Returns null without any of them: an answer is never guessed, and a
 * deleted reply must not come back as a result.
 * @param execution with its messages in order
 */
export function presentAnswer({ step, ...execution }: HilosStepExecution): Answer | null {
  if (!step?.answer_type) return null
  const asked = { stepId: execution.id, question: step.name, answerType: step.answer_type }
  const answerOf = ({ timestamp, id }: HilosMessage, value: Answer['value']) => ({
    ...asked,
    value,
    at: instantOf(timestamp),
    messageId: id,
  })
  const replies = repliesIn(execution.messages)
  const shown = replies.filter(({ is_deleted }) => !is_deleted)
  const result = replies.length > shown.length || callsUrl(step) ? null : execution.execution_result

  const reply = shown.findLast(asksFor(step))
  if (reply) return answerOf(reply, chosenOption(step, result) ?? textOf(reply))
  if (result !== null && result !== '') {
    // The result is the location of the file.
    const value = asksForFile(step) ? null : result
    return { ...asked, value, at: instantOf(execution.status_last_change_on), messageId: null }
  }
  const other = shown.findLast((message) => message.body || message.location || hasFile(message))
  return other ? answerOf(other, textOf(other)) : null
}

/** What people send without answering: a thumbs-up, or what WhatsApp itself writes into a conversation. */
const notAnswering = ['reaction', 'system', 'unsupported', 'request_welcome']

/** The first outgoing message is the question. In a step without one, all incoming messages are replies. */
function repliesIn(messages: readonly HilosMessage[]): HilosMessage[] {
  const question = messages.findIndex((message) => directionOf(message) === 'out')
  return messages
    .slice(question + 1)
    .filter((message) => directionOf(message) === 'in' && !notAnswering.includes(message.msg_type ?? ''))
}

/** Whether a message is of the kind that the step asks for. */
function asksFor(step: HilosStepDefinition): (message: HilosMessage) => boolean {
  if (asksForFile(step)) return (message) => Boolean(message.body) || hasFile(message)
  if (step.answer_type?.toUpperCase() === 'LOCATION') return ({ location }) => location !== null
  return ({ body }) => Boolean(body)
}

export const hasFile = (message: HilosMessage) => mediaOf(message) !== null

export function asksForFile({ answer_type }: HilosStepDefinition): boolean {
  return /^(?:FILE|DOCUMENT|IMAGE|VIDEO|AUDIO|VOICE)$/i.test(String(answer_type))
}

/** Where the options are shown with numbers, the contact answers with one of these, and Hilos records the option. */
function chosenOption({ answer_options_render }: HilosStepDefinition, result: Answer['value']): string | null {
  const isNumbered = answer_options_render === 'NUMBERS' || answer_options_render === 'EMOJIS'
  return isNumbered && typeof result === 'string' ? result || null : null
}

/** The text of a reply, or of the place that it shares: its name and address, and its coordinates. */
function textOf({ body, location }: HilosMessage): string | null {
  if (body || !location) return body || null
  const { place_name, address, latitude, longitude } = location
  const place = [place_name, address].filter(Boolean).join(', ')
  const coordinates = latitude === null || longitude === null ? '' : `${latitude},${longitude}`
  return (place && coordinates ? `${place} (${coordinates})` : place || coordinates) || null
}
