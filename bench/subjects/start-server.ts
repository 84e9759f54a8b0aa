import { type Program, startProgram } from '../processes.ts'
import { untilAnswered } from '../until-answered.ts'
import type { Subject } from './subject.ts'

/** Starts a program that listens on a port of loopback, and waits for its first response. */
export async function startServer(name: string, port: number, program: Program): Promise<Subject> {
  const running = startProgram(program)
  const origin = `http://127.0.0.1:${port}`
  const startedInMs = await untilAnswered(origin, running)
  return { name, origin, pids: [running.pid], startedInMs, stop: running.stop }
}
