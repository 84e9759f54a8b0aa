import { fileURLToPath } from 'node:url'
import { freePort } from '../processes.ts'
import { startServer } from './start-server.ts'
import type { SubjectKind } from './subject.ts'

const server = fileURLToPath(new URL('../peers/http-proxy-server.ts', import.meta.url))

/** `@fastify/http-proxy` without a cache, so that every request is a call. */
export const httpProxy: SubjectKind = {
  name: '@fastify/http-proxy, no cache, full',
  missing: () => null,
  start: async ({ cores, upstream }) => {
    const port = await freePort()
    return await startServer(httpProxy.name, port, {
      command: process.execPath,
      args: [server, String(port), `http://127.0.0.1:${upstream.port}`, upstream.token],
      core: cores.server,
      env: { NODE_ENV: 'production' },
    })
  },
}
