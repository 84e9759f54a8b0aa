import { existsSync, openSync } from 'node:fs'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { freePort } from '../harness/free-port.ts'
import { poll, startProcess } from '../harness/process.ts'
import { settingsFor, startSandbox } from '../harness/service-process.ts'

const fullDevice = '/dev/full'

t.test(
  'a process with a log that cannot be written serves, reports it once on standard error, and ends with 0',
  { skip: !existsSync(fullDevice) && 'this machine has no device that is always full' },
  async (t) => {
    const { baseUrl } = await startSandbox(t)
    const port = await freePort()
    const settings = { ...settingsFor(baseUrl), PORT: String(port), SHUTDOWN_TIMEOUT_MS: '600000' }
    const full = openSync(fullDevice, 'w')
    const { child, ended, stderr } = startProcess(t, 'src/main.ts', settings, { stdoutFile: full, isCovered: true })
    const statusOf = (path: string) =>
      fetch(`http://127.0.0.1:${port}${path}`).then(
        ({ status }) => status,
        () => 0,
      )
    await poll(async () => (await statusOf('/problems/invalid_id')) === 200)
    const statuses = new Set<number>()
    for (let request = 0; request < 50; request += 1)
      statuses.add(await statusOf(`/execution-contacts/${documentIds.completed}`))
    t.strictSame([...statuses], [200])
    child.kill('SIGTERM')
    t.equal(await ended, 0)
    t.equal(stderr(), 'hilos-bff: the log cannot be written (ENOSPC), its lines are lost until it can\n')
  },
)
