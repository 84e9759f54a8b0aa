import { oneOf } from '../../common/schema.ts'
import { nullableWords } from './fields.ts'

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
export const RunStatusSchema = {
  ...oneOf(runStatuses, `The status of the run. ${unknown}`),
  $id: 'ExecutionContactStatus',
}
export const StepStatusSchema = { ...oneOf(stepStatuses, `The status of the step. ${unknown}`), $id: 'StepStatus' }
export const StatusRawSchema = nullableWords('The status as Hilos sent it, if status is UNKNOWN; otherwise null.')

const presenterOf =
  <Status extends string>(known: readonly Status[]) =>
  (raw: string | null) => {
    const status: Status | 'UNKNOWN' = known.find((word) => word === raw) ?? 'UNKNOWN'
    return { status, statusRaw: status === 'UNKNOWN' ? raw : null }
  }

export const presentRunStatus = presenterOf<RunStatus>(runStatuses)
export const presentStepStatus = presenterOf<StepStatus>(stepStatuses)

/** Whether a step was begun. Other steps are planned, or were left out because the run took another way. */
export function isBegun(status: StepStatus): boolean {
  return status !== 'NOT_EXECUTED' && status !== 'WAITING_TO_START'
}

/** Whether a run or a step with this status has ended. With an unknown status it may go on. */
export function hasEnded(status: RunStatus | StepStatus): boolean {
  return status === 'COMPLETED' || status === 'CANCELED' || status === 'EXPIRED' || status === 'FAILED'
}
