import type { Secret } from '../../common/secret.ts'
import { isRefusal } from '../failures.ts'
import type { BegunCall } from './circuit-breaker.ts'
import type { HilosTokens } from './hilos-tokens.ts'
import type { Turn } from './rate-limiter.ts'

export interface EitherTokenOptions {
  readonly tokens: HilosTokens
  /** Told which token is used from now on, because Hilos refused the one before and took it; nobody unless given. */
  readonly onTokenChange?: (change: { readonly fingerprint: string }) => void
}

/** A call whose turn has come. */
export interface Sending {
  readonly turn: Turn
  readonly call: BegunCall
  /**
   * One request with this token.
   * @returns what Hilos answers to a token that it takes
   * @throws Failure, one of the `upstream_` codes
   */
  readonly send: (token: Secret) => Promise<unknown>
  /** Milliseconds until its deadline. */
  readonly leftMs: () => number
}

/** @throws what `send` throws; of two refusals, that of the token in use */
export type SendWithEither = (sending: Sending) => Promise<unknown>

/** Sends the token in use and, where Hilos refuses that, the other one once, in a turn of its own. */
export function createEitherToken({ tokens, onTokenChange }: EitherTokenOptions): SendWithEither {
  async function sendWithEither(sending: Sending): Promise<unknown> {
    const token = tokens.inUse()
    try {
      return await sending.send(token)
    } catch (failure) {
      if (!isRefusal(failure) || tokens.otherThan(token) === null) throw failure
      return await sendWithOther(sending, token, failure)
    }
  }

  /** What the other token has no turn for, and what nobody may ask any more, stays refused. */
  async function sendWithOther({ turn, call, send, leftMs }: Sending, refused: Secret, refusal: Error) {
    await turn.again(leftMs()).catch(() => {
      throw refusal
    })
    const other = tokens.otherThan(refused)
    if (other === null || !call.mayGoOn()) throw refusal
    try {
      const answer = await send(other)
      if (tokens.use(other, refused)) onTokenChange?.({ fingerprint: other.fingerprint() })
      return answer
    } catch (failure) {
      throw isRefusal(failure) && tokens.inUse() === refused ? refusal : failure
    }
  }

  return sendWithEither
}
