import { fileURLToPath } from 'node:url'
import type { Cores } from '../cores.ts'
import { freePort, startProgram } from '../processes.ts'
import { untilAnswered } from '../until-answered.ts'

/** A call that arrived. */
export interface Arrival {
  readonly id: string
  /** Milliseconds since 1970 UTC. */
  readonly at: number
}

/** The calls that arrived during some work. */
export interface Recording {
  readonly arrivals: readonly Arrival[]
  /** By how much the time of an arrival may be late, in milliseconds: the longest delay of the event loop. */
  readonly lateMs: number
}

/** The fake Hilos of the bench. */
export interface Upstream {
  readonly port: number
  readonly token: string
  /** For `HILOS_BASE_URL`. */
  readonly baseUrl: string
  /** The number of calls since it started. */
  readonly calls: () => Promise<number>
  /** The maximum number of concurrent calls since `delay` was last set. */
  readonly maxConcurrentCalls: () => Promise<number>
  /** Sets the delay of its responses, in milliseconds; 0 at first. */
  readonly delay: (ms: number) => Promise<void>
  /** Sets the percentage of calls that get a fault; 0 at first. */
  readonly faults: (percent: number) => Promise<void>
  /** Records the calls during some work. */
  readonly recordDuring: (work: () => Promise<void>) => Promise<Recording>
  /** Changes a run that goes on. */
  readonly change: (id: string) => Promise<void>
  readonly stop: () => Promise<void>
}

interface Counts {
  readonly calls: number
  readonly maxConcurrentCalls: number
}

export async function startUpstream(cores: Cores): Promise<Upstream> {
  const port = await freePort()
  const token = 'bench-token'
  const server = fileURLToPath(new URL('server.ts', import.meta.url))
  const running = startProgram({
    command: process.execPath,
    args: [server, String(port), token],
    core: cores.upstream,
  })
  const origin = `http://127.0.0.1:${port}`
  await untilAnswered(`${origin}/bench/calls`, running)
  const ask = async (path: string) => (await (await fetch(`${origin}${path}`)).json()) as Counts
  return {
    port,
    token,
    baseUrl: `${origin}/channel/whatsapp`,
    calls: async () => (await ask('/bench/calls')).calls,
    maxConcurrentCalls: async () => (await ask('/bench/calls')).maxConcurrentCalls,
    delay: async (ms) => {
      await ask(`/bench/delay/${ms}`)
    },
    faults: async (percent) => {
      await ask(`/bench/faults/${percent}`)
    },
    recordDuring: async (work) => {
      await ask('/bench/record/1')
      await work()
      const { arrivals, lateMs } = (await ask('/bench/arrivals')) as Counts & Recording
      await ask('/bench/record/0')
      return { arrivals, lateMs }
    },
    change: async (id) => {
      await ask(`/bench/change/${id}`)
    },
    stop: running.stop,
  }
}
