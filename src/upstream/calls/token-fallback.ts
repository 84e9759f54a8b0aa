import type { Secret } from '../../common/secret.ts'
import { isRefusal } from '../failures.ts'
import type { HilosObserver } from '../observer.ts'
import type { BegunCall } from './circuit-breaker.ts'
import type { HilosTokens } from './hilos-tokens.ts'
import type { Slot } from './rate-limiter.ts'

/** A call that has a slot. */
export interface Sending<Answer> {
  readonly slot: Slot
  readonly call: BegunCall
  /**
   * Sends one request with this token, and returns the answer of Hilos as it was read.
   * @throws Failure, one of the `upstream_` codes
   */
  readonly send: (token: Secret) => Promise<Answer>
  /** Milliseconds until the deadline of the call. */
  readonly leftMs: () => number
}

/** @throws what `send` throws. When Hilos refuses both tokens, that is the refusal of the token in use. */
export type SendWithFallback = <Answer>(sending: Sending<Answer>) => Promise<Answer>

/** Sends the token in use. If Hilos refuses it, sends the other token once, in a slot of its own. */
export function createTokenFallback(tokens: HilosTokens, observer: HilosObserver): SendWithFallback {
  async function sendWithFallback<Answer>(sending: Sending<Answer>): Promise<Answer> {
    const token = tokens.inUse()
    try {
      return await sending.send(token)
    } catch (failure) {
      if (!isRefusal(failure) || tokens.otherThan(token) === null) throw failure
      return await sendWithOther(sending, token, failure)
    }
  }

  /** Throws the refusal when there is no slot for the other token, or when the circuit breaker has opened meanwhile. */
  async function sendWithOther<Answer>(
    { slot, call, send, leftMs }: Sending<Answer>,
    refused: Secret,
    refusal: Error,
  ): Promise<Answer> {
    await slot.requeue(leftMs()).catch(() => {
      throw refusal
    })
    const other = tokens.otherThan(refused)
    if (other === null || !call.mayGoOn()) throw refusal
    try {
      const answer = await send(other)
      if (tokens.use(other, refused)) observer.tokenChanged(other.fingerprint())
      return answer
    } catch (failure) {
      throw isRefusal(failure) && tokens.inUse() === refused ? refusal : failure
    }
  }

  return sendWithFallback
}
