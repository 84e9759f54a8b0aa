import t from 'tap'
import { createForgetting, type ForgettingOptions } from '../../src/tier/forgetting.ts'
import { type Reply, type SharedEvent, type SharedServer, SharedServerError } from '../../src/tier/shared-server.ts'
import { createTimers, settled } from '../harness/timers.ts'

/** Stands for the server of the shared tier. `asked` holds the script, its keys and its arguments, in one line each. */
function createServer() {
  const asked: string[] = []
  const prepared: Parameters<SharedServer['onAttaching']>[0][] = []
  const attachedListeners: (() => void)[] = []
  const eventListeners: ((event: SharedEvent) => void)[] = []
  const state = {
    isAttached: true,
    isHeard: true,
    /** What becomes of what is asked next, one after the other: a failure, or a reply, which may come later. */
    outcomes: [] as ('timeout' | 'reply' | Promise<void>)[],
    cursors: [] as string[],
    heard: [] as string[],
  }
  const ask: SharedServer['run'] = async ({ name }, keys, args): Promise<Reply> => {
    asked.push([name, ...keys, ...args].join(' '))
    if ((await state.outcomes.shift()) === 'timeout') throw new SharedServerError('timeout')
    return Buffer.from(name === 'sweep' ? (state.cursors.shift() ?? '0') : `${asked.length}-0`)
  }
  const server: SharedServer = {
    isAttached: () => state.isAttached,
    runId: () => 'run',
    replicas: () => 1,
    key: (name) => `{hbff}:${name}`,
    run: async (...given) => {
      if (!state.isAttached) throw new SharedServerError('detached')
      return await ask(...given)
    },
    onAttaching: (prepare) => void prepared.push(prepare),
    onAttached: (hear) => void attachedListeners.push(hear),
    onDetached: () => {},
    onEvent: (hear) => void eventListeners.push(hear),
    isHeardByAll: async (eventId) => {
      state.heard.push(eventId)
      return state.isHeard
    },
  }
  const prepare = async (isMemoryLost = false, hasMissed = false) => {
    for (const each of prepared) await each(ask, { isMemoryLost, hasMissed })
  }
  return {
    server,
    state,
    asked,
    detach: () => {
      state.isAttached = false
    },
    prepare,
    attach: async (isMemoryLost = false) => {
      asked.length = 0
      await prepare(isMemoryLost)
      state.isAttached = true
      for (const hear of attachedListeners) hear()
      await settled()
      return [...asked]
    },
    tell: (event: SharedEvent) => {
      for (const hear of eventListeners) hear(event)
    },
  }
}

function arrange(limits: Partial<ForgettingOptions['limits']> = {}) {
  const clock = createTimers()
  const stand = createServer()
  const elsewhere: unknown[] = []
  const forgetting = createForgetting({
    server: stand.server,
    names: { contact: (id) => `<${id}>` },
    events: { encode: (event) => Object.values(event).map(String) },
    observer: { forgottenElsewhere: (isAll, purge) => void elsewhere.push([isAll, purge]) },
    limits: { rememberedMs: 3_600_000, maxRemembered: 5, ...limits },
    clock,
  })
  const heard: string[] = []
  forgetting.listen({
    gone: (id) => void heard.push(`${id} gone`),
    forgotten: (id) => void heard.push(id),
    cleared: () => void heard.push('all'),
  })
  const forget = (id: string | null, purge = '') => {
    const outcome = forgetting.forget(id, purge)
    return outcome.then(
      () => 'done',
      ({ code }) => code as string,
    )
  }
  return { ...stand, clock, forgetting, forget, heard, elsewhere }
}

const line = (id: string, purge = '') =>
  `${purge === '' ? 'forget_gone' : 'forget'} {hbff}:c:<${id}> {hbff}:l:<${id}> {hbff}:ev {hbff}:cleared forgotten ${id} ${purge}`
const clearLine = (purge = '') => `clear {hbff}:cleared {hbff}:ev cleared ${purge}`
const sweepLine = (kind: string, cursor = '0') => `sweep {hbff}:cleared ${cursor} {hbff}:${kind}:*`

t.test('a contact is forgotten when all have heard of it', async (t) => {
  const { forget, asked, state, heard } = arrange()
  t.equal(await forget('a', 'purge'), 'done')
  t.strictSame(asked, [line('a', 'purge')])
  t.strictSame(state.heard, ['1-0'], 'the event that the server made')
  state.isHeard = false
  t.equal(await forget('a', 'purge'), 'shared_tier_unavailable')
  t.strictSame(heard, [], 'this replica forgets by itself')
})

t.test('all contacts are forgotten, and what they took is released a part at a time', async (t) => {
  const { forget, asked, state } = arrange()
  state.cursors = ['17', '4', '0', '9', '0']
  t.equal(await forget(null, 'purge'), 'done')
  await settled()
  const ofEntries = [sweepLine('c'), sweepLine('c', '17'), sweepLine('c', '4')]
  t.strictSame(asked, [clearLine('purge'), ...ofEntries, sweepLine('l'), sweepLine('l', '9')])

  asked.length = 0
  state.outcomes = ['reply', 'timeout']
  t.equal(await forget(null), 'done', 'they are as good as gone')
  await settled()
  t.strictSame(asked, [clearLine(), sweepLine('c')])
})

t.test('what could not be told is told on the next attachment, once and with its purge', async (t) => {
  const { forget, forgetting, asked, state, detach, attach } = arrange()
  state.outcomes = ['timeout']
  t.equal(await forget('a', 'purge-a'), 'shared_tier_unavailable')
  detach()
  asked.length = 0
  t.equal(await forget('b', 'purge-b'), 'shared_tier_unavailable')
  t.strictSame(state.heard, [])
  forgetting.rememberGone('c')
  t.strictSame(asked, [], 'nothing is asked')
  t.strictSame(await attach(), [line('a', 'purge-a'), line('b', 'purge-b'), line('c')])
  t.strictSame(await attach(), [])
  detach()
  t.equal(await forget(null, 'purge'), 'shared_tier_unavailable')
  t.strictSame(await attach(), [clearLine('purge'), sweepLine('c'), sweepLine('l')])
  t.strictSame(await attach(), [])
})

t.test('a contact that does not exist is told of at once if the tier is attached', async (t) => {
  const { forgetting, asked, state, detach, attach } = arrange()
  forgetting.rememberGone('a')
  await settled()
  t.strictSame(asked, [line('a')])
  state.outcomes = ['timeout']
  forgetting.rememberGone('b')
  await settled()
  detach()
  t.strictSame(await attach(), [line('b')])
})

t.test('when the server has lost its memory, all is told again', async (t) => {
  const { forget, tell, attach, elsewhere } = arrange()
  await forget('a', 'purge')
  tell({ kind: 'forgotten', id: 'b', purge: 'purge' })
  t.strictSame(await attach(), [], 'it knows')
  t.strictSame(await attach(true), [line('a'), line('b')], 'nothing is logged a second time')
  t.strictSame(elsewhere, [[false, 'purge']])
  tell({ kind: 'cleared', purge: '' })
  t.strictSame(await attach(true), [clearLine(), sweepLine('c'), sweepLine('l')], 'all that is left')
})

t.test('an attachment fails when it cannot tell, and the next one goes on', async (t) => {
  const { forget, detach, prepare, attach, state } = arrange()
  detach()
  for (const id of ['a', 'b', 'c']) await forget(id)
  state.outcomes = ['reply', 'timeout']
  await t.rejects(prepare(), new SharedServerError('timeout'))
  t.strictSame(await attach(), [line('b')])
})

t.test('what is to be forgotten while the tier attaches is told, too', async (t) => {
  const { forget, forgetting, detach, prepare, attach, asked, state } = arrange()
  detach()
  await forget('a', 'first')
  await forget('b')
  const gate = Promise.withResolvers<void>()
  state.outcomes = [gate.promise]
  const preparing = prepare()
  await settled()
  t.equal(await forget('a', 'second'), 'shared_tier_unavailable', 'it may have been stored again after the first one')
  await forget('c')
  gate.resolve()
  await preparing
  t.strictSame(asked, [line('a', 'first'), line('b')])
  forgetting.rememberGone('d')
  const gone = attach()
  forgetting.rememberGone('e')
  t.strictSame(await gone, [line('a', 'second'), line('c'), line('d'), line('e')])
})

t.test('what is to be forgotten after the preparation is told as soon as the tier is attached', async (t) => {
  const { forget, detach, server, state, attach } = arrange()
  detach()
  // Another preparation takes its time.
  server.onAttaching(async () => {
    detach()
    await forget('a', 'purge')
  })
  state.outcomes = ['timeout']
  t.strictSame(await attach(), [line('a', 'purge')])
  t.strictSame(await attach(), [line('a', 'purge'), line('a', 'purge')], 'it failed, and is told again')
})

t.test('a purge stays untold if it fails while an earlier one of the contact is told', async (t) => {
  const { forget, attach, state } = arrange()
  const { promise, resolve } = Promise.withResolvers<void>()
  state.outcomes = [promise, 'timeout']
  const first = forget('a', 'first')
  t.equal(await forget('a', 'second'), 'shared_tier_unavailable')
  resolve()
  t.equal(await first, 'done')
  t.strictSame(await attach(), [line('a', 'second')])
})

t.test('a purge that is not told yet is told as one, also if the contact is found not to exist', async (t) => {
  const { forget, forgetting, detach, attach } = arrange()
  detach()
  await forget('a', 'purge')
  for (const id of ['a', 'b']) forgetting.rememberGone(id)
  t.strictSame(await attach(), [line('a', 'purge'), line('b')])
})

t.test('what others say is heard, and remembered', async (t) => {
  const { tell, heard, elsewhere, attach } = arrange()
  tell({ kind: 'forgotten', id: 'a', purge: '' })
  tell({ kind: 'forgotten', id: 'b', purge: 'purge-b' })
  tell({ kind: 'landed', id: 'c', revision: '' })
  tell({ kind: 'paused' })
  t.strictSame(await attach(true), [line('a'), line('b')])
  tell({ kind: 'cleared', purge: 'purge-all' })
  tell({ kind: 'cleared', purge: '' })
  t.strictSame(heard, ['a gone', 'b', 'all', 'all'], 'a contact that does not exist is none that was purged')
  t.strictSame(elsewhere, [
    [false, 'purge-b'],
    [true, 'purge-all'],
  ])
})

t.test('what the server does not know yet stays, whatever is heard', async (t) => {
  const { forget, tell, detach, attach } = arrange()
  detach()
  await forget('a', 'purge')
  tell({ kind: 'forgotten', id: 'a', purge: '' })
  tell({ kind: 'forgotten', id: 'b', purge: '' })
  tell({ kind: 'cleared', purge: '' })
  t.strictSame(await attach(), [line('a', 'purge')])
  t.strictSame(await attach(true), [line('a'), clearLine(), sweepLine('c'), sweepLine('l')])
})

t.test('all contacts stand for each of those before', async (t) => {
  const { forget, detach, attach } = arrange()
  detach()
  await forget('a')
  await forget(null, 'purge')
  await forget('b')
  const told = await attach()
  t.strictSame(
    told.filter((asked) => !asked.startsWith('sweep')),
    [clearLine('purge'), line('b')],
  )
})

t.test('it is remembered for an hour', async (t) => {
  const { forget, detach, attach, clock } = arrange()
  detach()
  await forget('a')
  await clock.advance(1_800_000)
  await forget('b')
  await clock.advance(1_800_000)
  await forget('c')
  t.strictSame(await attach(true), [line('a'), line('b'), line('c')])
  await clock.advance(1)
  await forget('c')
  t.strictSame(await attach(true), [line('b'), line('c')])
  await forget('b')
  await clock.advance(1_800_000)
  await forget('d')
  t.strictSame(await attach(true), [line('c'), line('b'), line('d')], 'from the last time on')
})

t.test('more than it can remember are all', async (t) => {
  const { forget, tell, detach, attach } = arrange()
  detach()
  for (const id of ['a', 'b', 'c', 'd', 'e', 'e']) await forget(id)
  t.equal((await attach(true)).length, 5)
  detach()
  await forget('f')
  t.strictSame(await attach(), [clearLine(), sweepLine('c'), sweepLine('l')])
  for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) tell({ kind: 'forgotten', id, purge: '' })
  t.strictSame(await attach(), [], 'the server knows all of them')
  t.match(await attach(true), [clearLine()], 'but not any more')
})

t.test('a replica that may have missed something forgets all that it has, before it counts as attached', async (t) => {
  const { prepare, heard, asked } = arrange()
  await prepare(false, false)
  t.strictSame(heard, [])
  await prepare(false, true)
  t.strictSame(heard, ['all'])
  t.strictSame(asked, [], 'it is the only one that has to')
})
