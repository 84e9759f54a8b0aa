import type { Dispatcher } from 'undici'
import type { Secret } from '../../common/secret.ts'
import { Failure } from '../../failures/failure.ts'
import type { FailureCode } from '../../failures/failure-kinds.ts'
import type { HilosTokens } from '../calls/hilos-tokens.ts'
import { connectionFailure, interruptedFailure, isRefusal, statusFailure } from '../failures.ts'
import { UpstreamFailure } from '../upstream-failure.ts'
import { acceptedEncodings, discardBody, readBody, textOf } from './response-body.ts'
import { repeats } from './token-leak.ts'

export interface ExchangeOptions {
  /** No body that repeats one of them goes any further. */
  readonly tokens: Pick<HilosTokens, 'all'>
  /** Without a trailing slash. */
  readonly baseUrl: string
  /** For the log only: the deadline comes with each exchange. */
  readonly timeoutMs: number
  /** Of the decoded body. */
  readonly maxBodyBytes: number
  readonly userAgent: string
  /** Told of each refusal of a token; nobody unless given. */
  readonly onTokenRefused?: (refusal: { readonly fingerprint: string; readonly code: FailureCode }) => void
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
}

/**
 * One request to Hilos and its answer.
 * @param id a UUID in lower case
 * @returns the JSON of a 200; undefined for "there is none"
 * @throws Failure, one of the `upstream_` codes
 */
export type Exchange = (id: string, token: Secret, dispatcher: Dispatcher, deadline: AbortSignal) => Promise<unknown>

export function createExchange(options: ExchangeOptions): Exchange {
  const { tokens, timeoutMs, maxBodyBytes, userAgent, onTokenRefused, now } = options
  const { origin, pathname } = new URL(`${options.baseUrl}/flow-execution-contact/`)

  async function exchange(id: string, token: Secret, dispatcher: Dispatcher, deadline: AbortSignal): Promise<unknown> {
    const response = await send(`${pathname}${id}`, token, dispatcher, deadline)
    const contentType = headerOf(response, 'content-type')
    // Django answers an unknown object in JSON, and an unknown route in HTML.
    if (response.statusCode !== 200 && !(response.statusCode === 404 && isJson(contentType))) {
      discardBody(response.body)
      const fingerprint = token.fingerprint()
      const failure = statusFailure(response.statusCode, headerOf(response, 'retry-after'), now(), fingerprint)
      if (isRefusal(failure)) onTokenRefused?.({ fingerprint, code: failure.code })
      throw failure
    }
    const json = parseJson(await read(response, token, deadline))
    return response.statusCode === 404 ? undefined : json
  }

  async function send(
    path: string,
    token: Secret,
    dispatcher: Dispatcher,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    try {
      return await dispatcher.request({
        origin,
        path,
        method: 'GET',
        headers: {
          authorization: `Token ${token.reveal()}`,
          accept: 'application/json',
          'accept-encoding': acceptedEncodings,
          'user-agent': userAgent,
        },
        signal,
      })
    } catch (error) {
      throw connectionFailure(error, timeoutMs)
    }
  }

  async function read(response: Dispatcher.ResponseData, token: Secret, signal: AbortSignal): Promise<string> {
    try {
      const encoding = headerOf(response, 'content-encoding') ?? 'identity'
      return textOf(withoutTokens(await readBody(response.body, encoding.toLowerCase(), maxBodyBytes), token))
    } catch (error) {
      if (error instanceof Failure) throw error
      throw interruptedFailure(signal, timeoutMs)
    }
  }

  /**
   * Some servers repeat a request in what they answer; nothing that has our key in it goes any further.
   * @param sent may have been replaced since
   */
  function withoutTokens(body: Buffer, sent: Secret): Buffer {
    if (![...new Set([sent, ...tokens.all()])].some((token) => repeats(body, token))) return body
    throw new Failure('upstream_invalid_response', { facts: { reason: 'our own key in the body' } })
  }

  return exchange
}

/** A header sent more than once is joined, as RFC 9110 section 5.3 has it. */
function headerOf(response: Dispatcher.ResponseData, name: string): string | undefined {
  return response.headers[name]?.toString()
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType ?? '')
}

/** The parser's own error quotes the document, so it is not kept as a cause. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UpstreamFailure('upstream_invalid_response', { facts: { reason: 'not JSON' } })
  }
}
