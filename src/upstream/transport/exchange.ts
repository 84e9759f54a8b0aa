import type { Dispatcher } from 'undici'
import type { Clock } from '../../common/clock.ts'
import type { Secret } from '../../common/secret.ts'
import { Failure } from '../../failures/failure.ts'
import type { HilosTokens } from '../calls/hilos-tokens.ts'
import { connectionFailure, interruptedFailure, isRefusal, statusFailure, UpstreamFailure } from '../failures.ts'
import type { HilosSettings } from '../hilos-settings.ts'
import type { HilosObserver } from '../observer.ts'
import { isLossOfKeptConnection } from './lost-requests.ts'
import { parseJson } from './parse-json.ts'
import { acceptedEncodings, discardBody, readBody, textOf } from './response-body.ts'
import { containsToken } from './token-leak.ts'

export interface ExchangeOptions extends Pick<HilosSettings, 'baseUrl' | 'timeoutMs' | 'maxBodyBytes' | 'discardMs'> {
  /** A body that contains one of these tokens is refused. */
  readonly tokens: Pick<HilosTokens, 'all'>
  readonly userAgent: string
  readonly observer: Pick<HilosObserver, 'tokenRefused'>
  readonly clock: Pick<Clock, 'now' | 'schedule'>
}

/**
 * Sends one request to Hilos and returns the JSON of a 200, or undefined when Hilos has no such contact.
 * @param id a UUID in lower case
 * @throws Failure, one of the `upstream_` codes
 */
export type Exchange = (id: string, token: Secret, dispatcher: Dispatcher, deadline: AbortSignal) => Promise<unknown>

export function createExchange(options: ExchangeOptions): Exchange {
  const { tokens, timeoutMs, maxBodyBytes, discardMs, userAgent, observer, clock } = options
  const { origin, pathname } = new URL(`${options.baseUrl}/flow-execution-contact/`)

  async function exchange(id: string, token: Secret, dispatcher: Dispatcher, deadline: AbortSignal): Promise<unknown> {
    const response = await send(`${pathname}${id}`, token, dispatcher, deadline)
    const contentType = headerOf(response, 'content-type')
    // Django answers an unknown object in JSON, and an unknown route in HTML.
    if (response.statusCode !== 200 && !(response.statusCode === 404 && isJson(contentType))) {
      await discardBody(response.body, discardMs, clock)
      const fingerprint = token.fingerprint()
      const retryAfter = headerOf(response, 'retry-after')
      const failure = statusFailure(response.statusCode, retryAfter, clock.now(), fingerprint)
      if (isRefusal(failure)) observer.tokenRefused(fingerprint, failure.code)
      throw failure
    }
    const json = jsonOf(await read(response, token, deadline))
    return response.statusCode === 404 ? undefined : json
  }

  async function send(path: string, token: Secret, dispatcher: Dispatcher, signal: AbortSignal) {
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
      throw connectionFailure(error, timeoutMs, isLossOfKeptConnection(error))
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
   * Some servers repeat the request in their answer. A body that contains a token of ours is refused.
   * @param sent the token of this request, which may have been replaced in the meantime
   */
  function withoutTokens(body: Buffer, sent: Secret): Buffer {
    if (![...new Set([sent, ...tokens.all()])].some((token) => containsToken(body, token))) return body
    throw new Failure('upstream_invalid_response', { facts: { reason: 'our own key in the body' } })
  }

  return exchange
}

/** The values of a repeated header are joined (RFC 9110 section 5.3). */
function headerOf(response: Dispatcher.ResponseData, name: string): string | undefined {
  return response.headers[name]?.toString()
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType ?? '')
}

/** The error of the parser quotes the document, so it is not kept as a cause. */
function jsonOf(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    throw new UpstreamFailure('upstream_invalid_response', { facts: { reason: 'not JSON' } })
  }
}
