import { fileURLToPath } from 'node:url'
import { freePort, startProgram } from '../processes.ts'
import { untilAnswered } from '../until-answered.ts'
import type { SubjectKind } from './subject.ts'

const server = fileURLToPath(new URL('../peers/http-proxy-server.ts', import.meta.url))

/** `@fastify/http-proxy` without a cache: every hit is a call. */
export const httpProxy: SubjectKind = {
  name: '@fastify/http-proxy, no cache, full',
  missing: () => null,
  start: async ({ cores, upstream }) => {
    const port = await freePort()
    const running = startProgram({
      command: process.execPath,
      args: [server, String(port), `http://127.0.0.1:${upstream.port}`, upstream.token],
      core: cores.server,
      env: { NODE_ENV: 'production' },
    })
    const origin = `http://127.0.0.1:${port}`
    const startedInMs = await untilAnswered(origin, running)
    return { name: httpProxy.name, origin, pids: [running.pid], startedInMs, stop: running.stop }
  },
}
