import t from 'tap'
import { createSharedPause } from '../../src/tier/shared-pause.ts'
import { type SharedEvent, type SharedServer, SharedServerError } from '../../src/tier/shared-server.ts'
import { createTimers, settled } from '../harness/timers.ts'

const continuity = { isMemoryLost: false, hasMissed: false }

/** The pause of one replica, on a server that has so much of it left. */
function arrange() {
  const clock = createTimers(0)
  const state = { isAttached: true, leftMs: -2 }
  const runs: string[] = []
  const told: number[] = []
  const hooks = {
    attaching: (async () => {}) as Parameters<SharedServer['onAttaching']>[0],
    attached: () => {},
    event: (_event: SharedEvent) => {},
  }
  const run: SharedServer['run'] = async (script, keys, args) => {
    runs.push([script.name, ...keys, ...args].join(' '))
    if (!state.isAttached) throw new SharedServerError('detached')
    return script.name === 'pause_left' ? state.leftMs : 1
  }
  const server = {
    run,
    key: (name: string) => name,
    onAttaching: (prepare) => {
      hooks.attaching = prepare
    },
    onAttached: (hear) => {
      hooks.attached = hear
    },
    onEvent: (hear) => {
      hooks.event = hear
    },
  } as Pick<SharedServer, 'run' | 'key' | 'onAttaching' | 'onAttached' | 'onEvent'> as SharedServer
  const pause = createSharedPause(
    { server, events: { encode: ({ kind }) => ['kind', kind] }, clock },
    { changed: () => {}, paused: (ms) => told.push(ms) },
  )
  const attach = async () => {
    await hooks.attaching(run, continuity)
    hooks.attached()
    await settled()
    return runs.splice(0)
  }
  const hear = async (event: SharedEvent) => {
    hooks.event(event)
    await settled()
    return runs.splice(0)
  }
  return { clock, state, runs, told, pause, attach, hear }
}

t.test('a pause that Hilos asked for is told at once, and what is left of it on each attachment', async (t) => {
  const { clock, state, runs, pause, attach } = arrange()
  t.strictSame(await attach(), ['pause_left pause'])
  pause(7000.5)
  t.strictSame(runs.splice(0), ['pause pause ev 7001 kind paused'])
  state.isAttached = false
  pause(9000)
  await settled()
  runs.length = 0
  state.isAttached = true
  await clock.advance(2000)
  t.strictSame(await attach(), ['pause pause ev 7000 kind paused', 'pause_left pause'])
  await clock.advance(7000)
  t.strictSame(await attach(), ['pause_left pause'], 'it is over')
})

t.test('a pause of another replica is heard of at once and on each attachment, and told again', async (t) => {
  const { clock, state, told, attach, hear } = arrange()
  t.strictSame(await hear({ kind: 'cleared', purge: '' }), [])
  t.strictSame(await hear({ kind: 'paused' }), ['pause_left pause'])
  t.strictSame(told, [], 'it is over already')
  state.leftMs = 5000
  await hear({ kind: 'paused' })
  t.strictSame(told, [5000])
  await clock.advance(1000)
  state.leftMs = 3990
  t.strictSame(await attach(), ['pause pause ev 4000 kind paused', 'pause_left pause'])
  t.strictSame(told, [5000, 3990])
  state.isAttached = false
  await hear({ kind: 'paused' })
  t.strictSame(told, [5000, 3990], 'the server did not say')
})
