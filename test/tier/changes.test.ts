import t from 'tap'
import { createChanges } from '../../src/tier/changes.ts'
import type { SharedEvent } from '../../src/tier/shared-server.ts'
import { createTimers, settled } from '../harness/timers.ts'

function arrange() {
  const clock = createTimers()
  let tell: (event: SharedEvent) => void = () => {}
  let detach = () => {}
  const server = {
    onEvent: (hear: typeof tell) => {
      tell = hear
    },
    onDetached: (hear: () => void) => {
      detach = hear
    },
  }
  const changes = createChanges(server, clock)
  const landed = (id: string) => tell({ kind: 'landed', id, revision: '' })
  return { clock, changes, landed, tell: (event: SharedEvent) => tell(event), detach: () => detach() }
}

/** Whether it has resolved when everything has run that needs no timer. */
async function isOver(next: Promise<void>): Promise<boolean> {
  let isOver = false
  void next.then(() => {
    isOver = true
  })
  await settled()
  return isOver
}

t.test('a wait ends with a change of the contact, not of another one', async (t) => {
  const { changes, landed, clock } = arrange()
  const change = changes.begin('one')
  const next = change.next(300)
  landed('other')
  t.notOk(await isOver(next))
  landed('one')
  t.ok(await isOver(next))
  t.strictSame(clock.armed(), [], 'no timer is left')
})

t.test('a wait ends after its time', async (t) => {
  const { changes, clock } = arrange()
  const next = changes.begin('one').next(300)
  await clock.advance(299)
  t.notOk(await isOver(next))
  await clock.advance(1)
  t.ok(await isOver(next))
})

t.test('a wait ends with what may concern any contact', async (t) => {
  const { changes, tell, detach } = arrange()
  for (const happen of [() => tell({ kind: 'cleared', purge: '' }), () => tell({ kind: 'paused' }), detach]) {
    const waits = ['one', 'other'].map((id) => changes.begin(id).next(300))
    happen()
    t.strictSame(await Promise.all(waits.map(isOver)), [true, true])
  }
})

t.test('a change between the question and the wait is not lost', async (t) => {
  const { changes, landed, clock } = arrange()
  const change = changes.begin('one')
  change.reset()
  landed('one')
  t.ok(await isOver(change.next(300)))
  t.strictSame(clock.armed(), [], 'no timer is left')
  t.ok(await isOver(change.next(300)), 'it stays until it is reset')
  change.reset()
  const next = change.next(300)
  t.notOk(await isOver(next), 'what was before the question does not count')
  landed('one')
  t.ok(await isOver(next))
  await isOver(change.next(300))
  change.reset()
  landed('one')
  t.ok(await isOver(change.next(300)), 'also after another wait')
})

t.test('each one that waits for a contact hears of the change, until it has ended', async (t) => {
  const { changes, landed } = arrange()
  const [first, second] = [changes.begin('one'), changes.begin('one')]
  first.end()
  const waits = [first.next(300), second.next(300)]
  landed('one')
  t.strictSame(await Promise.all(waits.map(isOver)), [false, true])
  second.end()
  const third = changes.begin('one')
  const next = [second.next(300), third.next(300)]
  second.reset()
  landed('one')
  t.ok(await isOver(next[1] as Promise<void>), 'who comes later hears as well')
})
