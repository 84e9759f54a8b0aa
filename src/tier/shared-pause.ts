import type { Clock } from '../common/clock.ts'
import type { RationListener } from '../upstream/calls/ration.ts'
import type { Events } from './events.ts'
import { pause, pauseLeft } from './ration-scripts.ts'
import type { RunScript, SharedServer } from './shared-server.ts'

export interface SharedPauseOptions {
  readonly server: SharedServer
  readonly events: Pick<Events, 'encode'>
  readonly clock: Pick<Clock, 'elapsed'>
}

/**
 * The pause that Hilos asked one replica for, for all of them. Each hears how much of it is left at once, and on each attachment. What
 * a replica knows of it, it tells again on an attachment: the server may have lost it, or was not there when it was asked for.
 * @returns tells all that Hilos wants no calls for so many milliseconds
 */
export function createSharedPause({ server, events, clock }: SharedPauseOptions, listener: RationListener) {
  let until = Number.NEGATIVE_INFINITY

  async function tell(run: RunScript, ms: number): Promise<void> {
    const event = events.encode({ kind: 'paused' })
    if (ms > 0) await run(pause, [server.key('pause'), server.key('ev')], [Math.ceil(ms), ...event])
  }

  async function hear(): Promise<void> {
    const ms = Number(await server.run(pauseLeft, [server.key('pause')], []))
    if (ms <= 0) return
    until = Math.max(until, clock.elapsed() + ms)
    listener.paused(ms)
  }
  const hearSoon = () => void hear().catch(() => {})

  server.onAttaching((run) => tell(run, until - clock.elapsed()))
  server.onAttached(hearSoon)
  server.onEvent(({ kind }) => {
    if (kind === 'paused') hearSoon()
  })

  return (ms: number): void => {
    until = Math.max(until, clock.elapsed() + ms)
    tell(server.run, ms).catch(() => {})
  }
}
