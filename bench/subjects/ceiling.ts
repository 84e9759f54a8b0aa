import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, startProgram } from '../processes.ts'
import { untilAnswered } from '../until-answered.ts'
import type { SubjectKind } from './subject.ts'

const server = fileURLToPath(new URL('../peers/ceiling-server.ts', import.meta.url))

/** Where the bench leaves the answers that the ceiling repeats. */
export const recordedPath = (scratch: string) => join(scratch, 'recorded-answers.json')

/** A bare node:http server that writes our own bytes and headers from a constant. */
export const ceiling: SubjectKind = {
  name: 'ceiling: bare node:http, constant',
  missing: () => null,
  start: async ({ cores, scratch }) => {
    const port = await freePort()
    const running = startProgram({
      command: process.execPath,
      args: [server, String(port), recordedPath(scratch)],
      core: cores.server,
      env: { NODE_ENV: 'production' },
    })
    const origin = `http://127.0.0.1:${port}`
    const startedInMs = await untilAnswered(origin, running)
    return { name: ceiling.name, origin, pids: [running.pid], startedInMs, stop: running.stop }
  },
}
