import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getuid } from 'node:process'
import t, { type Test } from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { installed } from '../../sandbox/installed.ts'
import { executionContact, type Part } from '../../sandbox/parts.ts'
import { openEvents } from '../harness/event-source.ts'
import { freePort } from '../harness/free-port.ts'
import { poll } from '../harness/process.ts'
import { startProgram } from '../harness/program.ts'
import { startServiceProcess } from '../harness/service-process.ts'

const nginx = installed('nginx')
const skip = nginx === undefined && 'nginx is not installed (Debian: nginx)'

/** What each path in front of the service adds to the defaults of nginx. */
const locations = {
  '/': '',
  '/http11/': 'proxy_http_version 1.1;',
  /** nginx collects the response there, as it does without the header of the service. */
  '/deaf/': 'proxy_ignore_headers X-Accel-Buffering;',
}

function configOf(folder: string, port: number, service: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder};`)
  const served = Object.entries(locations).map(([path, more]) => `location ${path} { proxy_pass ${service}/; ${more} }`)
  return `
    daemon off;
    pid ${folder}/nginx.pid;
    events {}
    http {
      ${temporary.join('\n')}
      log_format bytes_and_seconds '$request $status $body_bytes_sent $request_time';
      access_log ${folder}/access.log bytes_and_seconds;
      server {
        listen 127.0.0.1:${port};
        ${served.join('\n')}
      }
    }`
}

/** Starts nginx in front of a service, until the test ends. Resolves when it serves. */
async function startNginx(t: Test, service: string) {
  const folder = t.testdir()
  const port = await freePort()
  const config = join(folder, 'nginx.conf')
  writeFileSync(config, configOf(folder, port, service))
  // With another user, its worker could not use the folder of root.
  const asRoot = getuid?.() === 0 ? ['-g', 'user root;'] : []
  const args = ['-e', join(folder, 'error.log'), '-c', config, ...asRoot]
  const { checkRuns } = startProgram(t, nginx ?? '', { args, home: folder })
  const origin = `http://127.0.0.1:${port}`
  const serves = () =>
    fetch(`${origin}/problems`).then(
      ({ ok }) => ok,
      () => false,
    )
  await poll(() => {
    checkRuns()
    return serves()
  })
  return { origin, accessLog: () => readFileSync(join(folder, 'access.log'), 'utf8') }
}

t.test('nginx with its defaults passes each event on before the next one is sent', { skip }, async (t) => {
  const settings = { HILOS_MAX_RPS: '0', CACHE_LIFETIME_SCALE: '0.1' }
  const { origin: service, sandbox, lines } = await startServiceProcess(t, settings)
  const { origin, accessLog } = await startNginx(t, service)
  const path = `execution-contacts/${documentIds.paused}/events?view=summary`
  const changeRun = (changes: Part) =>
    sandbox.documents.set(documentIds.paused, () => executionContact(documentIds.paused, changes))
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
  const running = { status: 'RUNNING', status_last_change_on: minutesAgo(0) }
  changeRun(running)

  const passing = [await openEvents(`${origin}/${path}`), await openEvents(`${origin}/http11/${path}`)]
  let isHeld = true
  const held = openEvents(`${origin}/deaf/${path}`).finally(() => {
    isHeld = false
  })
  await poll(() => lines().filter(({ msg }) => msg === 'stream opened').length === 3)
  for (const [index, changes] of [
    { ...running, is_test: true },
    { status: 'COMPLETED', status_last_change_on: minutesAgo(16) },
  ].entries()) {
    const states = await Promise.all(passing.map((source) => source.nth('state', index + 1)))
    t.match(states, [
      { json: { status: 'RUNNING', isTest: index === 1 } },
      { json: { status: 'RUNNING', isTest: index === 1 } },
    ])
    t.ok(isHeld, 'it would hold them back, if the service did not ask for something else')
    changeRun(changes)
  }
  for (const source of [...passing, await held]) {
    t.match(await source.nth('end', 1), { json: { reason: 'settled' } })
    t.match((await source.nth('state', 3)).json, { status: 'COMPLETED' })
    await source.over()
  }

  const logged = () =>
    accessLog()
      .match(/.*\n/g)
      ?.filter((line) => line.startsWith(`GET /${path} `)) ?? []
  await poll(() => logged().length > 0)
  t.equal(logged().length, 1)
  const [, status, bytes, seconds] = / (\d+) (\d+) ([\d.]+)\n$/.exec(logged()[0] ?? '') ?? []
  t.equal(status, '200')
  t.ok(Number(bytes) > (passing[0]?.text().length ?? 0), 'its bytes, with those of the chunks')
  t.ok(Number(seconds) > 1, 'how long the stream was open')
})
