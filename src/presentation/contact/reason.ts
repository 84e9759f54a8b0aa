import type { HilosDocument, HilosStepDefinition, HilosStepExecution } from '../../upstream/document/hilos-document.ts'
import { plainest } from '../spellings/fold.ts'

/** Whether the step calls a URL, so that its texts and its result may quote the request or the reply. True if in doubt. */
export function callsUrl(definition: HilosStepDefinition | null): boolean {
  return (
    definition === null ||
    definition.action_request_method ||
    definition.action_request_url ||
    /ACTION|API|HTTP|HOOK|REQUEST/i.test(definition.step_type ?? 'ACTION')
  )
}

/** Which reasons of a document have to be withheld, because they may quote what a step sent to a URL or got from it. */
export interface WithheldReasons {
  readonly ofRun: boolean
  readonly ofStep: (execution: HilosStepExecution) => boolean
}

/**
 * The reason of a step that calls a URL is withheld, and so is every other one that repeats a part of it. The reason of the
 * run is also withheld if it may be that of such a step, which has failed.
 */
export function withheldReasonsOf({ status, status_reason, execution_steps }: HilosDocument): WithheldReasons {
  const calling = execution_steps.filter(({ step }) => callsUrl(step))
  const repeats = createRepetitionCheck(calling.flatMap((execution) => execution.status_reason ?? []))
  const mayBeOfRun = (execution: HilosStepExecution) =>
    hasFailed(execution) && (status === 'FAILED' || execution.status_reason === null)
  return {
    ofRun: status_reason !== null && (calling.some(mayBeOfRun) || repeats(status_reason)),
    ofStep: ({ step, status_reason: reason }) =>
      reason !== null && reason !== '' && (callsUrl(step) || repeats(reason)),
  }
}

const hasFailed = ({ status, has_error }: HilosStepExecution) => status === 'FAILED' || has_error === true

/** Returns whether a text has a word of one of these reasons, in any spelling. */
function createRepetitionCheck(reasons: readonly string[]): (text: string) => boolean {
  if (reasons.length === 0) return () => false
  let left = mostCharacters
  const isTooLong = ({ length }: string) => {
    left -= length
    return left < 0 || length > longestReason
  }
  if (reasons.some(isTooLong)) return () => true
  // Most documents have no other reason, with which these would be compared.
  let withheldWords: ReadonlySet<string> | null = null
  const withheld = () => (withheldWords ??= new Set(reasons.flatMap(longWords)))
  return (text) => isTooLong(text) || longWords(text).some((word) => withheld().has(word))
}

/** Comparing longer ones, or more of one document, would take too much time. */
const longestReason = 10_000
const mostCharacters = 200_000

/**
 * The words of a text that are long enough to be a secret, with the punctuation inside them, as in `/v2/k7`, and the parts
 * of these words that may be one. Shorter words, and ordinary ones, are often found in reasons that have nothing to do with
 * each other.
 */
const longWords = (text: string) =>
  plainest(text)
    .split(/[\s"'<>()[\]{},;]+/)
    .flatMap((word) => [word, ...word.split(/[=?&]/).map(withoutMarks).flatMap(withPath)])
    .filter(({ length }) => length >= 6)
    .flatMap((word) => [word, ...(word.match(/[a-z\d]{6,}/g)?.filter(isLikeSecret) ?? [])])
const withoutMarks = (word: string) => word.replace(/^[^\p{L}\p{N}/]+|(?<![^\p{L}\p{N}])[^\p{L}\p{N}]+$/gu, '')
const withPath = (url: string) => [url, url.replace(/^[^/]*:\/\/[^/]*/, '')]
const isLikeSecret = (part: string) => part.length >= 12 || /\d/.test(part)
