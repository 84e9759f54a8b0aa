import { Failure, type FailureOptions } from '../failures/failure.ts'
import type { FailureCode } from '../failures/failure-kinds.ts'

export interface UpstreamFailureOptions extends FailureOptions {
  /** The same call may well succeed if it is made again at once; false by default. */
  readonly worthRetrying?: boolean
  /** For so long, in milliseconds, Hilos wants to be left alone by everyone; 0 by default. */
  readonly pauseMs?: number
}

/** Hilos could not say how things stand: what it said before may stand in for a while. */
export class UpstreamFailure extends Failure {
  readonly worthRetrying: boolean
  readonly pauseMs: number

  constructor(code: FailureCode, { worthRetrying = false, pauseMs = 0, ...options }: UpstreamFailureOptions = {}) {
    super(code, options)
    this.worthRetrying = worthRetrying
    this.pauseMs = pauseMs
  }
}
