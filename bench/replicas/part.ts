import { startValkeyServer, type ValkeyServer, valkeyServer } from '../../sandbox/valkey-server.ts'
import { freePort } from '../processes.ts'
import type { Bench, Table } from '../section.ts'
import { type Asker, startAsker } from './asker.ts'
import { type Fleet, type FleetOptions, startFleet } from './fleet.ts'
import { type StampingHilos, startStampingHilos } from './stamping-hilos.ts'

/** A promise of the shared tier, and what was measured of it. */
export interface Promised {
  readonly text: string
  /** The bound as text. */
  readonly bound: string
  readonly measured: string
  /** What replicas without a shared tier do; empty if it was not measured. */
  readonly alone: string
  /** Null if the value is only told. */
  readonly isMet: boolean | null
}

export interface PartFindings {
  readonly promises: readonly Promised[]
  readonly notes?: readonly string[]
  readonly tables?: readonly Table[]
  readonly data: unknown
}

/** What all measurements of a part need. */
export interface Stage extends Bench {
  readonly hilos: StampingHilos
  readonly asker: Asker
  /** Adds a sentence to the report. */
  readonly remark: (text: string) => void
}

/** A part of the section `replicas`. */
export interface Part {
  /** The name behind the slash for `--only`. */
  readonly name: string
  readonly run: (stage: Stage) => Promise<PartFindings>
}

/** Runs a part with a fake Hilos and a process that asks. */
export async function runPart({ name, run }: Part, bench: Bench): Promise<PartFindings> {
  const hilos = await startStampingHilos(bench)
  const asker = startAsker(bench)
  const remarks: string[] = []
  try {
    const findings = await run({ ...bench, hilos, asker, remark: (text) => remarks.push(`${name}: ${text}`) })
    return { ...findings, notes: [...(findings.notes ?? []), ...remarks] }
  } finally {
    await asker.stop()
    await hilos.stop()
  }
}

type FleetSettings = Pick<FleetOptions, 'env' | 'callers'>

/** Measures replicas that share a tier on a server of their own. */
export async function sharing<T>(
  stage: Stage,
  settings: FleetSettings,
  measure: (fleet: Fleet, server: ValkeyServer, redisUrl: string) => Promise<T>,
): Promise<T> {
  const server = await startValkeyServer(valkeyServer ?? '', await freePort(), ['--loglevel', 'warning'])
  const redisUrl = `redis://127.0.0.1:${server.port}`
  try {
    return await withFleet(stage, { ...settings, redisUrl }, async (fleet) => {
      const measured = await measure(fleet, server, redisUrl)
      stage.remark(await troubleOf(fleet))
      return measured
    })
  } finally {
    await server.remove()
  }
}

/** Measures replicas of which each is for itself. */
export function alone<T>(stage: Stage, settings: FleetSettings, measure: (fleet: Fleet) => Promise<T>): Promise<T> {
  return withFleet(stage, { ...settings, redisUrl: null }, measure)
}

/** Measures the same with a shared tier and without. */
export async function both<T>(
  stage: Stage,
  settings: FleetSettings,
  measure: (fleet: Fleet) => Promise<T>,
): Promise<{ readonly shared: T; readonly alone: T }> {
  stage.progress('with the shared tier')
  const shared = await sharing(stage, settings, measure)
  stage.progress('each replica for itself')
  return { shared, alone: await alone(stage, settings, measure) }
}

/** Measures replicas with these options, and always stops them. */
export async function withFleet<T>(
  stage: Stage,
  options: Omit<FleetOptions, 'hilos'>,
  measure: (fleet: Fleet) => Promise<T>,
): Promise<T> {
  const fleet = await startFleet(stage, { hilos: stage.hilos, ...options })
  try {
    await stage.hilos.forget()
    return await measure(fleet)
  } finally {
    await fleet.stop()
  }
}

/** What explains a promise that was not kept: a replica that was detached, and scripts that failed. */
async function troubleOf({ replicas }: Fleet): Promise<string> {
  const reasons = replicas.flatMap(({ log }) =>
    [...log().matchAll(/"reason":"([a-z-]+)".*"shared tier detached/g)].map(([, reason = '']) => reason),
  )
  const failed = new Map<string, number>()
  for (const replica of replicas) {
    const operations = (await replica.metrics()).matchAll(
      /operations_total\{operation="(\w+)",outcome="([\w-]+)"\} (\d+)/g,
    )
    for (const [, operation, outcome, count] of operations) {
      if (outcome !== 'ok')
        failed.set(`${operation} ${outcome}`, (failed.get(`${operation} ${outcome}`) ?? 0) + Number(count))
    }
  }
  const scripts = [...failed].map(([what, count]) => `${what} ${count}`)
  return `detached ${reasons.length} times (${reasons.join(', ')}); scripts that failed: ${scripts.join(', ') || 'none'}.`
}
