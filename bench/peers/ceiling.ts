import { createServer, type Server } from 'node:http'
import type { RecordedAnswer, RecordedAnswers } from '../recorded-answers.ts'

/**
 * Creates a server that sends recorded responses, with as little work as possible for node:http.
 * @param work what it does before each response; nothing by default
 */
export function createCeiling(recorded: Pick<RecordedAnswers, 'full' | 'notModified'>, work = () => {}): Server {
  const full = constantOf(recorded.full)
  const notModified = constantOf(recorded.notModified)
  return createServer({ keepAliveTimeout: 72_000 }, (request, response) => {
    const { status, headers, body } = request.headers['if-none-match'] === undefined ? full : notModified
    work()
    response.writeHead(status, headers)
    response.end(body)
  })
}

function constantOf({ status, headers, body }: RecordedAnswer) {
  return { status, headers, body: body === '' ? undefined : Buffer.from(body) }
}
