import { writeFileSync } from 'node:fs'
import { openConnection, type RawAnswer, requestText } from './load/raw-connection.ts'
import { callerHeaders, type Subject } from './subjects/subject.ts'
import { benchId } from './upstream/document.ts'

export interface RecordedAnswer {
  readonly status: number
  /** Without the headers that node:http writes by itself. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The responses of the service to a hit, with the whole body and as 304. */
export interface RecordedAnswers {
  readonly full: RecordedAnswer
  readonly notModified: RecordedAnswer
  readonly etag: string
}

const writtenByNode = ['connection', 'keep-alive', 'date']

/** Records the responses of the service, and writes them to a file for the ceiling. */
export async function recordAnswers({ origin }: Subject, path: string): Promise<RecordedAnswers> {
  const ask = (headers: Readonly<Record<string, string>>) => requestOnce(origin, benchId(0), headers)
  await ask({})
  const full = recordedOf(await ask({}))
  const etag = full.headers.etag ?? ''
  const recorded = { full, notModified: recordedOf(await ask({ 'if-none-match': etag })), etag }
  writeFileSync(path, JSON.stringify(recorded))
  return recorded
}

/** Sends one request on a new connection, with the headers that every request has. */
export async function requestOnce(
  origin: string,
  id: string,
  headers: Readonly<Record<string, string>>,
  query = '',
): Promise<RawAnswer> {
  const connection = await openConnection(origin)
  const request = requestText(origin, `/execution-contacts/${id}${query}`, { ...callerHeaders, ...headers })
  const answer = await new Promise<RawAnswer>((resolve) => connection.ask(request, resolve))
  connection.close()
  return answer
}

/** Returns what the ceiling sends in place of this response. */
export function recordedOf({ status, head, body }: RawAnswer): RecordedAnswer {
  return { status, headers: headersIn(head, writtenByNode), body: body.toString() }
}

/** Returns headers by name in lower case. */
export function headersIn(head: string, without: readonly string[] = []): Record<string, string> {
  const lines = head.split('\r\n').slice(1)
  const pairs = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)])
  return Object.fromEntries(pairs.filter(([name = '']) => !without.includes(name)))
}
