import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execPath } from 'node:process'
import t, { type Test } from 'tap'
import { startSentinel, startValkeyServer } from '../../sandbox/valkey-server.ts'
import { freePort } from '../harness/free-port.ts'
import { poll } from '../harness/process.ts'

/** What answers as a server does that has just been started: it is loading at first. It ends at once with `--bad`. */
const program = `
const { createServer } = require('node:net')
const { readFileSync } = require('node:fs')
const args = process.argv.slice(2)
if (args.includes('--bad')) {
  console.log('bad argument')
  process.exit(1)
}
const port = args[0] === '--port' ? args[1] : /^port (\\d+)/.exec(readFileSync(args[0], 'utf8'))[1]
let pings = 0
createServer((socket) => {
  socket.on('error', () => {})
  socket.on('data', () => {
    pings += 1
    socket.end(pings === 1 ? '-LOADING\\r\\n' : '+PONG ' + args.join(' ') + '\\r\\n')
  })
}).listen(Number(port), '127.0.0.1')
`

/** The path of that program. */
function arrange(t: Test): string {
  const folder = t.testdir({ 'server.cjs': program })
  const command = join(folder, 'server')
  writeFileSync(command, `#!/bin/sh\nexec '${execPath}' '${join(folder, 'server.cjs')}' "$@"\n`)
  chmodSync(command, 0o755)
  return command
}

const isRunning = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

t.test('a server is started, frozen, started again and removed', async (t) => {
  const command = arrange(t)
  for (const start of [
    async () => startValkeyServer(command, await freePort(), ['--maxmemory', '2mb']),
    async () => startSentinel(command, await freePort(), 'primary', 1),
  ]) {
    const server = await start()
    const first = server.pid()
    t.ok(isRunning(first))
    t.ok(server.port > 0)
    server.stop()
    server.go()
    await server.restart()
    t.not(server.pid(), first)
    t.notOk(isRunning(first))
    await server.remove()
    await poll(() => !isRunning(server.pid()))
  }
})

t.test('a server that ends before it answers says why', async (t) => {
  const command = arrange(t)
  await t.rejects(startValkeyServer(command, await freePort(), ['--bad']), { message: /ended: bad argument/ })
  await t.rejects(startValkeyServer(join(command, 'missing'), await freePort()), { message: /has ended/ })
})
