import type { HilosDocument, HilosStepDefinition, HilosStepExecution } from '../../upstream/document/hilos-document.ts'

/** Whether the step calls a URL, so that its texts and its result may quote the request or the reply. True if in doubt. */
export function callsUrl(definition: HilosStepDefinition | null): boolean {
  return (
    definition === null ||
    definition.action_request_method ||
    definition.action_request_url ||
    /ACTION|API|HTTP|HOOK|REQUEST/i.test(definition.step_type ?? 'ACTION')
  )
}

/** Whether the reason of a run has to be withheld: it is that of a step that calls a URL, or repeats a part of it. */
export function isReasonWithheld({ status, status_reason, execution_steps }: HilosDocument): boolean {
  if (status_reason === null) return false
  const calling = execution_steps.filter(({ step }) => callsUrl(step))
  if (status === 'FAILED' && calling.some(hasFailed)) return true
  const reasons = calling.flatMap((execution) => execution.status_reason ?? [])
  if (reasons.length === 0) return false
  if ([status_reason, ...reasons].some(({ length }) => length > longestReason)) return true
  const withheldWords = new Set(reasons.flatMap(longWords))
  return longWords(status_reason).some((word) => withheldWords.has(word))
}

/** Comparing longer ones would take too much time. */
const longestReason = 10_000

const hasFailed = ({ status, has_error }: HilosStepExecution) => status === 'FAILED' || has_error === true

/** A shorter word has no room for a secret, and is often found in reasons that have nothing to do with each other. */
const leastLength = 6
const longWords = (text: string) => (text.toLowerCase().match(/[^\s"'<>()[\]{},;]+/g) ?? []).filter(isLong)
const isLong = ({ length }: string) => length >= leastLength
