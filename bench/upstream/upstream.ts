import { fileURLToPath } from 'node:url'
import type { Cores } from '../cores.ts'
import { freePort, startProgram } from '../processes.ts'
import { untilAnswered } from '../until-answered.ts'

/** The bench's Hilos, as the measurements see it. */
export interface Upstream {
  readonly port: number
  readonly token: string
  /** For `HILOS_BASE_URL`. */
  readonly baseUrl: string
  /** How often a document was asked for since it started. */
  readonly calls: () => Promise<number>
  /** The most calls that were under way at the same moment since `delay` was last set. */
  readonly mostAtOnce: () => Promise<number>
  /** How long it takes from now on before it answers, in milliseconds. */
  readonly delay: (ms: number) => Promise<void>
  /** How many of a hundred calls go wrong from now on. */
  readonly faults: (percent: number) => Promise<void>
  readonly stop: () => Promise<void>
}

interface Counts {
  readonly calls: number
  readonly mostAtOnce: number
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
    mostAtOnce: async () => (await ask('/bench/calls')).mostAtOnce,
    delay: async (ms) => {
      await ask(`/bench/delay/${ms}`)
    },
    faults: async (percent) => {
      await ask(`/bench/faults/${percent}`)
    },
    stop: running.stop,
  }
}
