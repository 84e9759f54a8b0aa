import { existsSync, openSync } from 'node:fs'
import t from 'tap'
import { documentIds } from '../../sandbox/documents.ts'
import { freePort } from '../harness/free-port.ts'
import { poll, startProcess } from '../harness/process.ts'
import { hilosToken, settingsFor, startSandbox } from '../harness/service-process.ts'

const fullDevice = '/dev/full'

t.test(
  'the process, when its log cannot be written, serves, says so once elsewhere, and ends in good order',
  { skip: !existsSync(fullDevice) && 'there is no device that is always full' },
  async (t) => {
    const { baseUrl } = await startSandbox(t)
    const port = await freePort()
    const settings = { ...settingsFor(baseUrl), PORT: String(port), SHUTDOWN_TIMEOUT_MS: '600000' }
    const full = openSync(fullDevice, 'w')
    const { child, ended, stderr } = startProcess(t, 'src/main.ts', settings, [], [], full)
    const statusOf = (path: string) =>
      fetch(`http://127.0.0.1:${port}${path}`).then(
        ({ status }) => status,
        () => 0,
      )
    await poll(async () => (await statusOf('/problems/invalid_id')) === 200)
    for (let asked = 0; asked < 50; asked += 1)
      t.equal(await statusOf(`/execution-contacts/${documentIds.completed}`), 200)
    child.kill('SIGTERM')
    t.equal(await ended, 0)
    t.equal(stderr(), 'hilos-bff: the log cannot be written (ENOSPC), its lines are lost until it can\n')
    t.notMatch(stderr(), hilosToken)
  },
)
