import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import { until } from './service.ts'

/** An event as it was received. */
export interface ReceivedEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: string
  /** The parsed data, without a type. */
  // biome-ignore lint/suspicious/noExplicitAny: assertions are the check
  readonly json: any
}

export interface EventSource {
  readonly status: number
  readonly headers: Headers
  /** All events so far, without `retry`. */
  readonly events: ReceivedEvent[]
  /** The milliseconds of each `retry` so far. */
  readonly retries: number[]
  /** Everything received so far. */
  readonly text: () => string
  /** Waits until there are so many events of a kind, and returns the last of them. */
  readonly nth: (event: string, count: number) => Promise<ReceivedEvent>
  /** Whether the stream is over, in whatever way. */
  readonly isOver: () => boolean
  readonly over: () => Promise<void>
  /** Leaves, as a page that is closed does. */
  readonly leave: () => void
  readonly response: IncomingMessage
}

/**
 * Opens a stream of events, and reads it unless the test pauses the response. It resolves with the headers; the events come
 * later.
 */
export async function openEvents(url: string, headers: Record<string, string> = {}): Promise<EventSource> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const request: ClientRequest = get(url, { headers, agent: false }, resolve).on('error', reject)
  const response = await promise
  let text = ''
  let isOver = false
  response.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  response
    .on('error', () => {})
    .on('close', () => {
      isOver = true
    })
  const parse = () => blocksOf(text)
  const source: EventSource = {
    status: response.statusCode ?? 0,
    headers: new Headers(Object.entries(response.headers).map(([name, value]) => [name, String(value)])),
    get events() {
      return parse().flatMap(({ event, id, data }) => (event ? [{ event, id, data, json: JSON.parse(data) }] : []))
    },
    get retries() {
      return parse().flatMap(({ retry }) => (retry ? [Number(retry)] : []))
    },
    text: () => text,
    nth: async (event, count) => {
      const found = () => source.events.filter((each) => each.event === event)
      await until(() => found().length >= count || isOver)
      const last = found()[count - 1]
      if (last === undefined) throw new Error(`the stream ended before ${event} number ${count}: ${text}`)
      return last
    },
    isOver: () => isOver,
    over: () => until(() => isOver),
    leave: () => void request.destroy(),
    response,
  }
  return source
}

interface Block {
  readonly event: string | undefined
  readonly id: string | undefined
  readonly data: string
  readonly retry: string | undefined
}

function blocksOf(text: string): Block[] {
  const complete = text.slice(0, text.lastIndexOf('\n\n') + 1)
  return complete.split('\n\n').map((block) => {
    const field = (name: string) =>
      block
        .split('\n')
        .find((line) => line.startsWith(`${name}: `))
        ?.slice(name.length + 2)
    return { event: field('event'), id: field('id'), data: field('data') ?? '', retry: field('retry') }
  })
}
