import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../processes.ts'
import { startServer } from './start-server.ts'
import type { SubjectKind } from './subject.ts'

const server = fileURLToPath(new URL('../peers/ceiling-server.ts', import.meta.url))

/** The file with the responses that the ceiling sends. */
export const recordedPath = (scratch: string) => join(scratch, 'recorded-answers.json')

/** A bare node:http server that always sends the same recorded response of the service. */
export const ceiling: SubjectKind = {
  name: 'ceiling: bare node:http, constant',
  missing: () => null,
  start: async ({ cores, scratch }) => {
    const port = await freePort()
    return await startServer(ceiling.name, port, {
      command: process.execPath,
      args: [server, String(port), recordedPath(scratch)],
      core: cores.server,
      env: { NODE_ENV: 'production' },
    })
  },
}
