import t from 'tap'
import { createLogOutput } from '../../src/telemetry/log-output.ts'
import { createTimers } from '../harness/timers.ts'

const limits = { maxWaiting: { info: 10_000, warning: 20_000, disclosure: 30_000 }, longestExitMs: 1000 }

/** A line of the log with this length, and a line break. */
const lineOf = (length: number, parts: Record<string, unknown> = {}) => {
  const line = JSON.stringify({ level: 30, ...parts, msg: '' })
  return `${line.slice(0, -2)}${'x'.repeat(length - line.length)}"}\n`
}
const info = lineOf(99)
const warning = lineOf(99, { level: 40 })
const longOf = (parts: Record<string, unknown>) => lineOf(999, parts)

/** An output whose reader takes `room` bytes and then fails with `code`; it takes everything at first. */
function start() {
  const clock = createTimers()
  const state = { room: Number.POSITIVE_INFINITY, code: 'EAGAIN', tries: 0 }
  let written = ''
  const events: unknown[] = []
  const output = createLogOutput(limits, {
    clock,
    write: (bytes) => {
      state.tries += 1
      if (state.room === 0) throw Object.assign(new Error('no'), { code: state.code })
      const taken = bytes.subarray(0, state.room)
      state.room -= taken.length
      written += Buffer.from(taken).toString('latin1')
      return taken.length
    },
    onLosing: (code) => events.push(code),
    onRecovered: (lines) => events.push(lines),
  })
  const writeAll = (line: string, count: number) => {
    for (let each = 0; each < count; each += 1) output.write(line)
  }
  const take = () => {
    const taken = written
    written = ''
    return taken
  }
  return { ...output, clock, state, events, writeAll, written: take }
}

t.test('lines are written when 4 KiB have collected, after 200 ms, and at a flush', async (t) => {
  const { write, writeAll, written, clock, state, flush, flushAtExit } = start()
  writeAll(info, 40)
  t.equal(written(), '')
  write(info)
  t.equal(written(), info.repeat(41))
  t.equal(state.tries, 1)
  write(info)
  await clock.advance(199)
  t.equal(written(), '')
  await clock.advance(1)
  t.equal(written(), info)
  write(info)
  write(warning)
  flush()
  t.equal(written(), info + warning)
  t.strictSame(clock.armed(), [])
  write(info)
  flushAtExit()
  t.equal(written(), info)
  flush()
  t.equal(state.tries, 4, 'nothing is written when nothing waits')
})

t.test(
  'what a slow reader takes is written byte by byte in order, and no line waits longer than it must',
  async (t) => {
    const { write, writeAll, written, clock, state, flush, status, events } = start()
    state.room = 150
    write('ñ€\n')
    writeAll(info, 2)
    flush()
    t.equal(Buffer.from(written(), 'latin1').toString(), `ñ€\n${info.slice(0, 100)}${info.slice(0, 44)}`)
    state.room = 30
    await clock.advance(1)
    t.equal(written(), info.slice(44, 74))
    const { tries } = state
    await clock.advance(1)
    t.equal(state.tries, tries + 1, 'a reader that has read is tried again after a millisecond')
    await clock.advance(9)
    t.equal(state.tries, tries + 1)
    await clock.advance(1)
    t.equal(state.tries, tries + 2, 'and one that has not, after ten')
    write(warning)
    flush()
    t.equal(state.tries, tries + 2, 'a flush does not try again')
    state.room = Number.POSITIVE_INFINITY
    await clock.advance(10)
    t.equal(written(), info.slice(74) + warning)
    t.strictSame([status(), events], [{ ok: true, linesLost: 0 }, []])
  },
)

t.test('beyond the limits further lines are lost and counted by kind, and disclosures never are', async (t) => {
  const [info, warning, disclosure] = [longOf({}), longOf({ level: 40 }), longOf({ record: 'disclosure' })]
  const { write, writeAll, written, clock, state, status, linesLost, isFull, events } = start()
  state.room = 0
  writeAll(info, 10)
  t.equal(state.tries, 1, 'it is tried again at intervals, not with each line')
  t.strictSame([status(), events], [{ ok: true, linesLost: 0 }, []])
  write(info)
  t.strictSame([status(), events], [{ ok: false, linesLost: 1 }, ['EAGAIN']])
  writeAll(warning, 11)
  writeAll(longOf({ level: 20 }), 1)
  t.strictSame(linesLost(), { info: 2, warning: 1 })
  writeAll(disclosure, 9)
  t.notOk(isFull())
  writeAll(disclosure, 1)
  t.ok(isFull())
  // Those of requests in flight.
  writeAll(disclosure, 5)
  t.strictSame([status(), events], [{ ok: false, linesLost: 3 }, ['EAGAIN']])
  state.room = 6000
  await clock.advance(200)
  t.notOk(isFull())
  t.equal(status().ok, false, 'until all lines are written')
  state.room = Number.POSITIVE_INFINITY
  await clock.advance(1)
  t.equal(written(), info.repeat(10) + warning.repeat(10) + disclosure.repeat(15))
  t.strictSame([status(), events], [{ ok: true, linesLost: 3 }, ['EAGAIN', 3]])

  state.room = 0
  writeAll(info, 11)
  state.room = Number.POSITIVE_INFINITY
  await clock.advance(200)
  t.strictSame([status(), events], [{ ok: true, linesLost: 4 }, ['EAGAIN', 3, 'EAGAIN', 1]])
})

t.test('a full pipe is tried again after 64 KiB more, because a busy event loop is late for timers', async (t) => {
  const clock = createTimers()
  const state = { room: 0, tries: 0 }
  const output = createLogOutput(
    { ...limits, maxWaiting: { info: 1e6, warning: 1e6, disclosure: 1e6 } },
    {
      clock,
      write: (bytes) => {
        state.tries += 1
        if (state.room === 0) throw Object.assign(new Error('no'), { code: 'EAGAIN' })
        return bytes.length
      },
    },
  )
  for (let each = 0; each < 41 + 655; each += 1) output.write(info)
  t.equal(state.tries, 1)
  output.write(info)
  t.equal(state.tries, 2)
  state.room = 1
  for (let each = 0; each < 656; each += 1) output.write(info)
  t.ok(state.tries > 2)
  t.equal(output.status().ok, true)
})

t.test('an output that fails is reported once, and its lines are written when it works again', async (t) => {
  const { write, written, clock, state, status, events, flush, flushAtExit } = start()
  Object.assign(state, { room: 0, code: 'ENOSPC' })
  write(info)
  flush()
  t.strictSame([status(), events], [{ ok: false, linesLost: 0 }, ['ENOSPC']])
  await clock.advance(199)
  t.equal(state.tries, 1)
  await clock.advance(1)
  t.equal(state.tries, 2)
  flushAtExit()
  t.equal(state.tries, 3, 'the exit does not wait for it')
  state.room = Number.POSITIVE_INFINITY
  await clock.advance(200)
  t.equal(written(), info)
  t.strictSame([status(), events], [{ ok: true, linesLost: 0 }, ['ENOSPC']])
})

t.test('the exit waits for a slow reader, for a second at most', async (t) => {
  for (const [readsAtTry, wanted, events] of [
    [3, info, []],
    [Number.POSITIVE_INFINITY, '', ['EAGAIN']],
  ] as const) {
    let [now, tries, written] = [0, 0, '']
    const said: unknown[] = []
    const output = createLogOutput(limits, {
      clock: { elapsed: () => now, schedule: () => () => {} },
      write: (bytes) => {
        tries += 1
        now += 250
        if (tries < readsAtTry) throw Object.assign(new Error('no'), { code: 'EAGAIN' })
        written += Buffer.from(bytes)
        return bytes.length
      },
      onLosing: (code) => said.push(code),
    })
    output.write(info)
    output.flushAtExit()
    t.strictSame([written, said], [wanted, events])
    t.ok(tries <= 5)
  }
})
