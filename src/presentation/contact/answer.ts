import { type Static, Type } from 'typebox'
import { nullableInstant, nullableText, scrubbedText, text, withheldWamids } from '../../common/schema.ts'
import type { HilosMessage, HilosStepExecution } from '../../upstream/document/hilos-document.ts'
import { instantOf } from './instant.ts'
import { chronological, directionOf } from './message.ts'
import { callsUrl } from './step.ts'

export const AnswerSchema = Type.Object(
  {
    stepId: nullableText('The step that asked.'),
    question: nullableText('The name of that step.'),
    answerType: text('What it asked for, in Hilos’s own word.'),
    value: Type.Unsafe<string | number | boolean | null>({
      type: ['string', 'number', 'boolean', 'null'],
      description: `What the contact wrote or chose last, as recorded. ${scrubbedText}`,
    }),
    at: nullableInstant('When.'),
    messageId: nullableText(`The message that said so; null where Hilos recorded only the result. ${withheldWamids}`),
  },
  { $id: 'Answer', description: 'What the contact answered to one step.' },
)

export type Answer = Static<typeof AnswerSchema>

/**
 * The answer to a step that asked something: the last text the contact sent after the question, otherwise the result
 * Hilos recorded. Null without either; nothing is guessed, and what the contact deleted does not come back as a result.
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

/** The first message to the contact is the question; in a step without one, all that came in is a reply. */
function repliesIn(messages: readonly HilosMessage[]): HilosMessage[] {
  const ordered = chronological(messages)
  const question = ordered.findIndex((message) => directionOf(message) === 'out')
  return ordered.slice(question + 1).filter((message) => directionOf(message) === 'in')
}
