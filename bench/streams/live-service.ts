import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { cpuMicros } from '../cpu.ts'
import type { MemoryReading } from '../inside/memory-probe.ts'
import { freePort } from '../processes.ts'
import type { Bench } from '../section.ts'
import { startService } from '../subjects/service.ts'

const probe = fileURLToPath(new URL('../inside/memory-probe.ts', import.meta.url))

/** A service whose streams are measured. */
export interface LiveService {
  readonly origin: string
  /** A gauge or counter of `/metrics`. */
  readonly metric: (name: string) => Promise<number>
  /** Its memory after full collections, with its resident memory. */
  readonly memory: () => Promise<MemoryReading>
  /** The CPU time since it started, in microseconds. */
  readonly cpuMicros: () => number
  readonly stop: () => Promise<void>
}

/** Starts the service as shipped, with room for 1,000 streams of a caller, and other settings in addition. */
export async function startLiveService(bench: Bench, settings: Readonly<Record<string, string>>): Promise<LiveService> {
  const port = await freePort()
  const { subject, running } = await startService(
    {
      name: 'hilos-bff',
      log: 'pipe',
      flags: ['--expose-gc', '--import', probe],
      messages: true,
      env: { ADMIN_PORT: String(port), CALLER_MAX_STREAMS: '1000', ...settings },
    },
    bench,
  )
  return {
    origin: subject.origin,
    metric: async (name) => {
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      const line = text.split('\n').find((each) => each.startsWith(`${name} `))
      return Number(line?.slice(name.length) ?? Number.NaN)
    },
    memory: async () => {
      running.child.send('read')
      const [reading] = (await once(running.child, 'message')) as [MemoryReading]
      return reading
    },
    cpuMicros: () => cpuMicros(subject.pids),
    stop: subject.stop,
  }
}
