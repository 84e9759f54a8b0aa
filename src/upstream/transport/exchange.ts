import { type Dispatcher, errors } from 'undici'
import type { Clock } from '../../common/clock.ts'
import type { Secret } from '../../common/secret.ts'
import { Failure } from '../../failures/failure.ts'
import type { HilosTokens } from '../calls/hilos-tokens.ts'
import { connectionFailure, interruptedFailure, isRefusal, statusFailure } from '../failures.ts'
import type { HilosSettings } from '../hilos-settings.ts'
import type { HilosObserver } from '../observer.ts'
import { type Route, startRequest } from './connections.ts'
import { parseJson } from './parse-json.ts'
import { acceptedEncodings, collect, decode, discardBody, revisionOf, textOf } from './response-body.ts'
import { ageMsOf, codingsOf, isJson, retryAfterSeconds } from './response-headers.ts'
import { withoutTokens } from './token-leak.ts'

export interface ExchangeOptions extends Pick<HilosSettings, 'baseUrl' | 'timeoutMs' | 'maxBodyBytes'> {
  /** A body that contains one of these tokens is refused. */
  readonly tokens: Pick<HilosTokens, 'all'>
  readonly userAgent: string
  readonly observer: Pick<HilosObserver, 'tokenRefused'>
  readonly clock: Pick<Clock, 'now' | 'elapsed' | 'schedule'>
}

/** An answer of Hilos about one contact. */
export interface HilosAnswer<Content> {
  readonly content: Content
  /** Its age, in whole milliseconds: its `Age`, and the time since the request was sent. */
  readonly ageMs: number
}

/** A document as Hilos sent it. */
export interface HilosBody {
  /**
   * The same for bodies that have the same bytes when they are decoded, and that are searched for the same tokens. Bodies
   * with other revisions may have the same bytes too.
   */
  readonly revision: string
  /** The tokens that it must be searched for, by `withoutTokens`, before anything of it is used. */
  readonly tokens: readonly Secret[]
  /**
   * Decodes the body.
   * @throws Failure `upstream_too_large` or `upstream_invalid_response`
   */
  readonly decoded: () => Promise<Buffer>
}

/**
 * Sends one request to Hilos. The content of the answer is null when Hilos has no such contact. Its age is that when all of
 * it had arrived.
 * @param id a UUID in lower case
 * @param leftMs how long it may take, with its body
 * @param onSent called when the request is written, after a connection was opened if there was none
 * @throws Failure, one of the `upstream_` codes
 */
export type Exchange = (
  id: string,
  token: Secret,
  route: Route,
  leftMs: number,
  onSent: () => void,
) => Promise<HilosAnswer<HilosBody | null>>

/** Successes without a whole document. Every other 2xx has one, also those not known (RFC 9110 section 15). */
const withoutDocument = [201, 202, 204, 205, 206, 207, 208, 226]

export function createExchange(options: ExchangeOptions): Exchange {
  const { tokens, timeoutMs, maxBodyBytes, userAgent, observer, clock } = options
  const { origin, pathname } = new URL(`${options.baseUrl}/flow-execution-contact/`)

  const exchange: Exchange = async (id, token, route, leftMs, onSent) => {
    let sentAt = clock.elapsed()
    let isSent = false
    const markSent = () => {
      sentAt = clock.elapsed()
      isSent = true
      cancelConnect()
      onSent()
    }
    const cancelConnect = clock.schedule(() => request.end(new errors.ConnectTimeoutError()), route.connectTimeoutMs)
    const cancelDeadline = clock.schedule(() => request.end(new DOMException('', 'TimeoutError')), leftMs)
    const request = startRequest(route.dispatcher, optionsOf(id, token), markSent)
    try {
      const response = await request.response.catch((error: unknown) => {
        throw connectionFailure(error, timeoutMs, isSent && route.hasAnswered)
      })
      route.hasAnswered = true
      const content = await contentOf(response, token)
      // The corrected age of RFC 9111 section 4.2.3, and the time that the body took.
      return { content, ageMs: Math.ceil(ageMsOf(response.headers) + clock.elapsed() - sentAt) }
    } finally {
      cancelConnect()
      cancelDeadline()
    }
  }

  function optionsOf(id: string, token: Secret): Dispatcher.RequestOptions {
    const headers = {
      authorization: `Token ${token.reveal()}`,
      accept: 'application/json',
      'accept-encoding': acceptedEncodings,
      'user-agent': userAgent,
    }
    return { origin, path: `${pathname}${id}`, method: 'GET', headers }
  }

  async function contentOf(response: Dispatcher.ResponseData, token: Secret) {
    const { statusCode, headers, body } = response
    if (statusCode >= 200 && statusCode < 300 && !withoutDocument.includes(statusCode))
      return await receive(response, token)
    // A 410 is a 404 that will last.
    if (!((statusCode === 404 || statusCode === 410) && isJson(headers))) await discardBody(body, clock)
    else if (isAbsence(await readSoon(response, token))) return null
    const fingerprint = token.fingerprint()
    const failure = statusFailure(statusCode, retryAfterSeconds(headers, clock.now()), fingerprint)
    if (isRefusal(failure)) observer.tokenRefused(fingerprint, failure.code)
    throw failure
  }

  /** @param sent the token of this request, which may have been replaced in the meantime */
  async function receive(response: Dispatcher.ResponseData, sent: Secret): Promise<HilosBody> {
    const codings = codingsOf(response.headers)
    const bytes = await collect(response.body, maxBodyBytes).catch((error: unknown) => {
      throw error instanceof Failure ? error : interruptedFailure(error, timeoutMs)
    })
    const searched = [...new Set([sent, ...tokens.all()])]
    return {
      revision: `${revisionOf(bytes, codings)} ${searched.map((token) => token.fingerprint()).sort()}`,
      tokens: searched,
      decoded: () => decode(bytes, codings, maxBodyBytes),
    }
  }

  /** The text of an answer that is short if Hilos has written it. Empty if it is longer, or cannot be read within a second. */
  async function readSoon(response: Dispatcher.ResponseData, token: Secret): Promise<string> {
    const cancel = clock.schedule(() => response.body.destroy(), 1000)
    const ifInTime = (failure: unknown) => {
      if ((failure as Failure).code === 'upstream_timeout') throw failure
      return ''
    }
    const text = receive(response, token).then(async (body) => {
      const bytes = await body.decoded()
      return bytes.length > longestAbsence ? '' : textOf(withoutTokens(bytes, body.tokens))
    })
    return await text.catch(ifInTime).finally(cancel)
  }

  return exchange
}

/** In bytes. */
const longestAbsence = 10_000

/**
 * Whether this is what Django REST Framework says of an object that does not exist: a `detail`, in any language, and nothing
 * else. Gateways and other frameworks say of a route that it does not exist, with other members or the reason phrase.
 */
function isAbsence(text: string): boolean {
  try {
    const { detail, ...others } = parseJson(text) as { detail?: unknown }
    const isText = typeof detail === 'string' && !reasonPhrase.test(detail)
    return isText && Object.keys(others).length === 0
  } catch {
    return false
  }
}

/** A text that is empty, or begins with a status or its reason phrase. Django writes `Not found.` */
const reasonPhrase = /^\s*(4\d\d\b|Not Found\b|([Nn]ot found|[Gg]one|NOT FOUND)?\s*$)/
