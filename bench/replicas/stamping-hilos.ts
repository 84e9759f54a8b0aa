import { setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { freePort, startProgram } from '../processes.ts'
import type { Bench } from '../section.ts'
import { untilAnswered } from '../until-answered.ts'

/** A call as the fake Hilos saw it. Times are of `monotonicMs`. */
export interface StampedCall {
  readonly id: string
  readonly atMs: number
  readonly revision: number
  readonly status: number
  /** By how much the stamp may be late. */
  readonly lateMs: number
  /** When it was answered; null if it was not yet. */
  answeredMs: number | null
}

/** How calls are answered. */
export interface Rule {
  /** 0 by default. */
  readonly delayMs?: number
  /** 200 by default. */
  readonly status?: number
  /** No such header by default. */
  readonly retryAfterSeconds?: number
}

/** A fake Hilos in a process of its own that stamps the arrival of each call. */
export interface StampingHilos {
  readonly baseUrl: string
  readonly token: string
  /** Sets how calls about a contact, or about all others for null, are answered; null ends that. */
  readonly rule: (id: string | null, rule: Rule | null) => Promise<void>
  /** The calls since `forget`, in their order. */
  readonly calls: () => Promise<readonly StampedCall[]>
  /** By how much a stamp may be late, in milliseconds: the longest delay of that process since `forget`. */
  readonly lateMs: () => Promise<number>
  /** Forgets the calls and all rules. */
  readonly forget: () => Promise<void>
  readonly stop: () => Promise<void>
}

export async function startStampingHilos({ cores }: Bench): Promise<StampingHilos> {
  const port = await freePort()
  const token = 'bench-token-of-the-replicas'
  const server = fileURLToPath(new URL('stamping-server.ts', import.meta.url))
  const running = startProgram({ command: process.execPath, args: [server, String(port), token], core: cores.upstream })
  beforeOthers(running.pid)
  const origin = `http://127.0.0.1:${port}`
  await untilAnswered(`${origin}/control`, running)
  const ask = async (method: string, body?: unknown) => {
    const response = await fetch(`${origin}/control`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return (await response.json()) as { calls: StampedCall[]; lateMs: number }
  }
  return {
    baseUrl: `${origin}/channel/whatsapp`,
    token,
    rule: async (id, rule) => {
      await ask('PUT', { id, rule })
    },
    calls: async () => (await ask('GET')).calls,
    lateMs: async () => (await ask('GET')).lateMs,
    forget: async () => {
      await ask('DELETE')
    },
    stop: running.stop,
  }
}

/**
 * The largest number of calls that certainly arrived within a second, wherever it begins: a call whose stamp may be late counts as
 * the first of a second from when it may have arrived.
 */
export function mostInASecond(calls: readonly Pick<StampedCall, 'atMs' | 'lateMs'>[]): number {
  return Math.max(0, ...calls.map((last) => calls.filter((call) => isWithinASecondBefore(call, last)).length))
}

/** Whether a call certainly arrived in the second that ends with another one. */
export function isWithinASecondBefore(
  call: Pick<StampedCall, 'atMs' | 'lateMs'>,
  last: Pick<StampedCall, 'atMs'>,
): boolean {
  return call.atMs <= last.atMs && call.atMs - call.lateMs > last.atMs - 1000
}

/** Lets a process run before others, so that its stamps are not late; only root may. */
function beforeOthers(pid: number): void {
  try {
    setPriority(pid, -10)
  } catch {
    // The report says how late it was.
  }
}
