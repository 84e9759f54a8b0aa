import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { freePort } from '../harness/free-port.ts'
import { startServiceProcess } from '../harness/service-process.ts'

const contact = `/execution-contacts/${documentIds.completed}?view=summary`

/** Sends so many GET requests on one connection, a few at a time, and waits for their responses. */
async function requestMany(origin: string, path: string, count: number): Promise<void> {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname).setEncoding('latin1')
  // As many as are worked on at once.
  const atOnce = 8
  const requests = `GET ${path} HTTP/1.1\r\nhost: a\r\nx-request-id: ${'x'.repeat(64)}\r\n\r\n`.repeat(atOnce)
  for (let sent = 0; sent < count; sent += atOnce) {
    socket.write(requests)
    for (let received = ''; received.split('HTTP/1.1 ').length <= atOnce; ) received += (await once(socket, 'data'))[0]
  }
  socket.destroy()
}

t.test(
  'a reader of the log that stalls stops neither responses nor probes nor the end, and loses no disclosure',
  async (t) => {
    const settings = { CALLER_MAX_RPS: '0', ADMIN_PORT: String(await freePort()), SHUTDOWN_TIMEOUT_MS: '600000' }
    const service = await startServiceProcess(t, settings, { isCovered: true })
    const { origin, operators, child, ended, says, lines, stderr } = service
    const logPart = async () => {
      const reply = await fetch(`${operators}/readyz`)
      t.equal(reply.status, 200)
      return ((await reply.json()) as { parts: { log: { ok: boolean; linesLost: number } } }).parts.log
    }
    t.strictSame(await logPart(), { ok: true, linesLost: 0 })
    child.stdout?.pause()
    // Each makes a line of almost 400 bytes, which is a disclosure, and then one that is none.
    await requestMany(origin, contact, 12_000)
    await requestMany(origin, '/execution-contacts/x', 800)
    const { ok, linesLost } = await logPart()
    t.ok(!ok && linesLost > 0 && linesLost <= 800, `${linesLost} lines are lost`)
    t.match(await (await fetch(`${operators}/metrics`)).text(), /^hilos_bff_log_lines_lost_total\{kind="info"\} [1-9]/m)
    t.equal((await fetch(origin + contact)).status, 200)

    child.stdout?.resume()
    const [, lost] = await says(/"lines":(\d+),"msg":"lines of the log were lost"/)
    t.match(await logPart(), { ok: true, linesLost: Number(lost) })
    t.equal(lines().filter(({ record }) => record === 'disclosure').length, 12_001, 'no disclosure is lost')

    child.stdout?.pause()
    await requestMany(origin, contact, 2000)
    child.kill('SIGTERM')
    await once(child, 'exit')
    child.stdout?.resume()
    t.equal(await ended, 0)
    const message = 'hilos-bff: the log cannot be written (EAGAIN), its lines are lost until it can\n'
    t.equal(stderr(), message.repeat(2))
  },
)
