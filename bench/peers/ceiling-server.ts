import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { argv } from 'node:process'
import type { RecordedAnswer, RecordedAnswers } from '../recorded-answers.ts'

// Sends recorded responses with as little work as possible for node:http. Arguments: port, file with the responses.
const [, , port, file] = argv
const recorded: RecordedAnswers = JSON.parse(readFileSync(file ?? '', 'utf8'))
const full = constantOf(recorded.full)
const notModified = constantOf(recorded.notModified)

createServer({ keepAliveTimeout: 72_000 }, (request, response) => {
  const { status, headers, body } = request.headers['if-none-match'] === undefined ? full : notModified
  response.writeHead(status, headers)
  response.end(body)
}).listen(Number(port), '127.0.0.1')

function constantOf({ status, headers, body }: RecordedAnswer) {
  return { status, headers, body: body === '' ? undefined : Buffer.from(body) }
}
