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

const unknown = 'UNKNOWN: Hilos sent a status that this version does not know, see statusRaw.'
export const RunStatusSchema = oneOf(runStatuses, `The status of the run. ${unknown}`)
export const StepStatusSchema = oneOf(stepStatuses, `The status of the step. ${unknown}`)
export const StatusRawSchema = nullableText('The status as Hilos sent it, if status is UNKNOWN; otherwise null.')

const presenterOf =
  <Status extends string>(known: readonly Status[]) =>
  (raw: string | null) => {
    const status: Status | 'UNKNOWN' = known.find((word) => word === raw) ?? 'UNKNOWN'
    return { status, statusRaw: status === 'UNKNOWN' ? raw : null }
  }

export const presentRunStatus = presenterOf<RunStatus>(runStatuses)
export const presentStepStatus = presenterOf<StepStatus>(stepStatuses)

/** A run with an unknown status may go on, so it has not ended. */
export function isTerminal(status: RunStatus): boolean {
  return status === 'COMPLETED' || status === 'CANCELED' || status === 'EXPIRED' || status === 'FAILED'
}
