import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { env } from 'node:process'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { installed } from '../../sandbox/installed.ts'
import { executionContact, type Part } from '../../sandbox/parts.ts'
import { poll, preload } from '../harness/process.ts'
import { startProgram } from '../harness/program.ts'
import { startServiceProcess } from '../harness/service-process.ts'

const chromium = env.CHROMIUM_PATH ?? installed('chromium', 'chromium-browser', 'google-chrome')
const skip = chromium === undefined && 'Chromium is not installed (Debian: chromium), and CHROMIUM_PATH is not set'

/** What a page heard, or how its `EventSource` is. */
interface Heard {
  readonly event: string
  readonly id?: string
  readonly data?: string
  /** 0 while it comes back, 1 while it is open, 2 when it is closed for good. */
  readonly readyState: number
}

/** A page that follows a run, and tells its server what it hears, one thing after the other. */
const page = `<!doctype html><title>Live</title><script>
  const source = new EventSource(new URLSearchParams(location.search).get('url'))
  let told = Promise.resolve()
  for (const event of ['open', 'state', 'checked', 'problem', 'end', 'error'])
    source.addEventListener(event, ({ data, lastEventId: id }) => {
      const body = JSON.stringify({ event, id, data, readyState: source.readyState })
      told = told.then(() => fetch('/heard', { method: 'POST', body }))
    })
</script>`

/** Serves the page until the test ends. */
async function servePage(t: Test) {
  const heard: Heard[] = []
  const server = createServer(async (request, response) => {
    if (request.url === '/heard') heard.push(JSON.parse(await text(request)))
    response.writeHead(200, { 'content-type': 'text/html' }).end(page)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { heard, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Opens a page in a browser that knows nothing and reaches only this machine. */
function openInChromium(t: Test, url: string) {
  // The path of a socket in it must be short.
  const home = mkdtempSync(join(tmpdir(), 'hilos-bff-browser-'))
  t.teardown(() => rmSync(home, { recursive: true, maxRetries: 5 }))
  const flags = ['headless', 'no-sandbox', 'disable-gpu', 'no-first-run', 'no-proxy-server', 'disable-dev-shm-usage']
  const quiet = ['disable-background-networking', 'disable-component-update', 'disable-sync', 'disable-breakpad']
  const args = [...flags, ...quiet, `user-data-dir=${home}`, 'host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1']
  return startProgram(t, chromium ?? '', { args: [...args.map((flag) => `--${flag}`), url], home })
}

t.test('an EventSource in Chromium follows a run to its end, and stays closed', { skip }, async (t) => {
  const { heard, origin: pageOrigin } = await servePage(t)
  // Without a random part, the stream asks the browser to come back after a second.
  const nodeOptions = preload('Math.random = () => 0')
  const settings = { CORS_ORIGINS: pageOrigin, CACHE_LIFETIME_SCALE: '0.1', HILOS_MAX_RPS: '0' }
  const { origin, sandbox, lines } = await startServiceProcess(t, settings, { nodeOptions })
  const path = `/execution-contacts/${documentIds.paused}`
  const changeRun = (changes: Part) =>
    sandbox.documents.set(documentIds.paused, () => executionContact(documentIds.paused, changes))
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
  const running = { status: 'RUNNING', status_last_change_on: minutesAgo(0) }
  changeRun(running)

  const browser = openInChromium(t, `${pageOrigin}/?url=${encodeURIComponent(`${origin}${path}/events`)}`)
  const states = () => heard.filter(({ event }) => event === 'state')
  const untilHeard = (isHeard: () => boolean) =>
    poll(() => {
      browser.checkRuns()
      return isHeard()
    })
  await untilHeard(() => states().length === 1)
  changeRun({ ...running, is_test: true })
  await untilHeard(() => states().length === 2)
  changeRun({ status: 'COMPLETED', status_last_change_on: minutesAgo(16) })
  const opened = () => heard.filter(({ event }) => event === 'open')
  await untilHeard(() => heard.some(({ readyState }) => readyState === 2) || opened().length > 1)

  const told = heard.filter(({ event }) => event !== 'checked')
  t.strictSame(
    told.map(({ event, readyState }) => [event, readyState]),
    [['open', 1], ...[1, 2, 3].map(() => ['state', 1]), ['end', 1], ['error', 0], ['error', 2]],
    'it comes back once, and then closes',
  )
  const shown = states().map(({ data = '' }) => JSON.parse(data))
  t.match(shown, [
    { status: 'RUNNING', isTest: false },
    { status: 'RUNNING', isTest: true },
    { status: 'COMPLETED', terminal: true },
  ])
  t.equal(heard.find(({ event }) => event === 'end')?.data, '{"reason":"settled"}')
  const reply = await fetch(origin + path, { headers: { 'accept-encoding': 'identity' } })
  t.equal(states()[2]?.data, await reply.text(), 'whole, as in the response')
  t.equal(`"${states()[2]?.id}"`, reply.headers.get('etag'))
  const requests = () => lines().filter(({ msg, status }) => status === 204 || /^stream /.test(String(msg)))
  await poll(() => requests().length >= 3)
  t.match(requests(), [
    { msg: 'stream opened' },
    { msg: 'stream ended', states: 3, reason: 'settled' },
    { msg: 'answered', route: '/execution-contacts/:id/events', status: 204 },
  ])
  t.equal(requests().length, 3)
})
