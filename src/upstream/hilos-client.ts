import type { Dispatcher } from 'undici'
import { Failure } from '../errors.ts'
import type { Secret } from '../secret.ts'
import { elementsIn } from './document-size.ts'
import type { ReportDrift } from './drift.ts'
import { connectionFailure, interruptedFailure, statusFailure } from './failures.ts'
import type { HilosDocument } from './hilos-document.ts'
import { readDocument } from './read-document.ts'
import { acceptedEncodings, discardBody, readBody } from './response-body.ts'

export interface HilosClientOptions {
  readonly dispatcher: Dispatcher
  readonly token: Secret
  /** Without a trailing slash. */
  readonly baseUrl: string
  /** For a whole call, from connecting to the last byte. */
  readonly timeoutMs: number
  /** Of the decoded body. */
  readonly maxBodyBytes: number
  /** Steps and messages in one document. */
  readonly maxElements: number
  readonly userAgent: string
  readonly reportDrift: ReportDrift
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number
}

export interface HilosClient {
  /**
   * One execution contact.
   * @param id a UUID in lower case
   * @returns null when Hilos says that there is none
   * @throws Failure, one of the `upstream_` codes
   */
  readonly getExecutionContact: (id: string) => Promise<HilosDocument | null>
}

/** Asks Hilos, and turns whatever comes back into a document, an absence or a named failure. */
export function createHilosClient(options: HilosClientOptions): HilosClient {
  const { dispatcher, token, timeoutMs, maxBodyBytes, maxElements, userAgent, reportDrift, now } = options
  const { origin, pathname } = new URL(`${options.baseUrl}/flow-execution-contact/`)

  async function getExecutionContact(id: string): Promise<HilosDocument | null> {
    const deadline = AbortSignal.timeout(timeoutMs)
    const response = await send(`${pathname}${id}`, deadline)
    const contentType = headerOf(response, 'content-type')
    // Django answers an unknown object in JSON, and an unknown route in HTML.
    if (response.statusCode !== 200 && !(response.statusCode === 404 && isJson(contentType))) {
      discardBody(response.body)
      throw statusFailure(response.statusCode, headerOf(response, 'retry-after'), now())
    }
    const json = parseJson(await read(response, deadline))
    if (response.statusCode === 404) return null
    if (elementsIn(json) > maxElements) throw new Failure('upstream_too_large', { facts: { maxElements } })
    return readDocument(json, id, reportDrift)
  }

  async function send(path: string, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
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

  async function read(response: Dispatcher.ResponseData, signal: AbortSignal): Promise<string> {
    try {
      const encoding = headerOf(response, 'content-encoding') ?? 'identity'
      return withoutToken(await readBody(response.body, encoding.toLowerCase(), maxBodyBytes))
    } catch (error) {
      if (error instanceof Failure) throw error
      throw interruptedFailure(signal, timeoutMs)
    }
  }

  /** Some servers repeat the request in what they answer; nothing that has our key in it goes any further. */
  function withoutToken(text: string): string {
    if (!repeatsKey(text, token.reveal())) return text
    throw new Failure('upstream_invalid_response', { facts: { reason: 'our own key in the body' } })
  }

  return { getExecutionContact }
}

/** A shorter key stands in a document by chance, as `test` does in `is_test`; then only the whole credentials tell. */
const tellingKeyLength = 12

function repeatsKey(text: string, key: string): boolean {
  return text.includes(`Token ${key}`) || (key.length >= tellingKeyLength && text.includes(key))
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
    throw new Failure('upstream_invalid_response', { facts: { reason: 'not JSON' } })
  }
}
