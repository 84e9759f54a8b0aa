import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer, Asked } from './asker.ts'
import { revisionIn } from './contacts.ts'
import { monotonicMs } from './monotonic.ts'

// This process sends the requests of the section `replicas`. It gets a list of them as a message, and sends back their answers.
const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 4096 })
const timeoutMs = 20_000

process.on('message', (asked: readonly Asked[]) => {
  const began = monotonicMs()
  void Promise.all(asked.map((each) => send(each, began))).then((answers) => process.send?.(answers))
})
process.on('disconnect', () => process.exit())

async function send({ dueMs, url, headers }: Asked, began: number): Promise<Answer> {
  const waitMs = began + dueMs - monotonicMs()
  if (waitMs > 0) await sleep(waitMs)
  const sentMs = monotonicMs()
  return new Promise((resolve) => {
    const end = (status: number, text: string, cacheStatus = '', code = codeIn(text)) =>
      resolve({ sentMs, endedMs: monotonicMs(), status, revision: revisionIn(text), cacheStatus, code })
    get(url, { agent, headers, timeout: timeoutMs }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.once('end', () => end(response.statusCode ?? 0, text, String(response.headers['cache-status'] ?? '')))
      response.once('error', (error) => end(0, '', '', String((error as NodeJS.ErrnoException).code)))
    })
      .once('timeout', function (this: import('node:http').ClientRequest) {
        this.destroy()
      })
      .once('error', (error) => end(0, '', '', String((error as NodeJS.ErrnoException).code)))
  })
}

/** The code of a problem document. */
function codeIn(text: string): string {
  return (text.length < 2000 && /"code":"([a-z_]+)"/.exec(text)?.[1]) || ''
}
