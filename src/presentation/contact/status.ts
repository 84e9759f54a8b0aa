import { nullableText, oneOf } from '../../common/schema.ts'

const runStatuses = ['READY', 'RUNNING', 'PAUSED', 'COMPLETED', 'CANCELED', 'EXPIRED', 'FAILED', 'UNKNOWN'] as const
const stepStatuses = [
  'WAITING_TO_START',
  'NOT_EXECUTED',
  'RUNNING',
  'COMPLETED',
  'CANCELED',
  'FAILED',
  'EXPIRED',
  'UNKNOWN',
] as const

export type RunStatus = (typeof runStatuses)[number]
export type StepStatus = (typeof stepStatuses)[number]

export const RunStatusSchema = oneOf(
  runStatuses,
  'Where the run stands. UNKNOWN: Hilos used a word of its own, see statusRaw.',
)
export const StepStatusSchema = oneOf(
  stepStatuses,
  'Where the step stands. UNKNOWN: Hilos used a word of its own, see statusRaw.',
)
export const StatusRawSchema = nullableText('The word Hilos used, when status is UNKNOWN and there was one.')

interface Presented<Status> {
  readonly status: Status
  readonly statusRaw: string | null
}

/** A word of ours for Hilos's, or UNKNOWN with its own word beside it. */
const presenterOf =
  <Status extends string>(known: readonly Status[]) =>
  (raw: string | null): Presented<Status | 'UNKNOWN'> => {
    const status = known.find((word) => word === raw) ?? 'UNKNOWN'
    return { status, statusRaw: status === 'UNKNOWN' ? raw : null }
  }

export const presentRunStatus = presenterOf<RunStatus>(runStatuses)
export const presentStepStatus = presenterOf<StepStatus>(stepStatuses)

/** The four ends. Whatever is not known to be over is not. */
export function isTerminal(status: RunStatus): boolean {
  return status === 'COMPLETED' || status === 'CANCELED' || status === 'EXPIRED' || status === 'FAILED'
}
