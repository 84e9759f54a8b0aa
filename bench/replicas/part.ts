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
}

/** A part of the section `replicas`. */
export interface Part {
  /** The name behind the slash for `--only`. */
  readonly name: string
  readonly run: (stage: Stage) => Promise<PartFindings>
}

/** Runs something with a fake Hilos and a process that asks. */
export async function onStage<T>(bench: Bench, run: (stage: Stage) => Promise<T>): Promise<T> {
  const hilos = await startStampingHilos(bench)
  const asker = startAsker(bench)
  try {
    return await run({ ...bench, hilos, asker })
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
    return await withFleet(stage, { ...settings, redisUrl }, (fleet) => measure(fleet, server, redisUrl))
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
