import { type Static, Type } from 'typebox'
import { nullableInstant, nullableText, scrubbedText, text, withheldWamids } from '../../common/schema.ts'
import type { HilosMessage, HilosStepExecution } from '../../upstream/document/hilos-document.ts'
import { instantOf } from './instant.ts'
import { chronological, directionOf } from './message.ts'
import { callsUrl } from './step.ts'

export const AnswerSchema = Type.Object(
  {
    stepId: nullableText('The id of the step that asked.'),
    question: nullableText('The name of that step.'),
    answerType: text('The kind of answer that the step asked for, as Hilos calls it, for example SINGLE_OPTION.'),
    value: Type.Unsafe<string | number | boolean | null>({
      type: ['string', 'number', 'boolean', 'null'],
      description: `The last answer that the contact wrote or chose, as Hilos recorded it. ${scrubbedText}`,
    }),
    at: nullableInstant('The time of the answer.'),
    messageId: nullableText(
      `The id of the message with the answer; null if Hilos recorded only the result. ${withheldWamids}`,
    ),
  },
  { $id: 'Answer', description: 'The answer of the contact to one step.' },
)

export type Answer = Static<typeof AnswerSchema>

/**
 * Returns the answer to a step that asked something: the last text that the contact sent after the question, otherwise the
 * result that Hilos recorded. Returns null if there is neither: an answer is never guessed, and a deleted reply must not
 * come back as a result.
 */
export function presentAnswer({ step, ...execution }: HilosStepExecution): Answer | null {
  if (!step?.answer_type) return null
  const asked = { stepId: execution.id, question: step.name, answerType: step.answer_type }
  const replies = repliesIn(execution.messages)
  const reply = replies.findLast(({ body, is_deleted }) => body && !is_deleted)
  if (reply?.body) return { ...asked, value: reply.body, at: instantOf(reply.timestamp), messageId: reply.id }
  const result = execution.execution_result
  if (result === null || result === '' || callsUrl(step) || replies.some(({ is_deleted }) => is_deleted)) return null
  return { ...asked, value: result, at: instantOf(execution.status_last_change_on), messageId: null }
}

/** The first outgoing message is the question. In a step without one, all incoming messages are replies. */
function repliesIn(messages: readonly HilosMessage[]): HilosMessage[] {
  const ordered = chronological(messages)
  const question = ordered.findIndex((message) => directionOf(message) === 'out')
  return ordered.slice(question + 1).filter((message) => directionOf(message) === 'in')
}
