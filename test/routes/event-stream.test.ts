import { Writable } from 'node:stream'
import t from 'tap'
import { EventStream, eventText, retryText } from '../../src/routes/event-stream.ts'
import { createTimers, settled } from '../harness/timers.ts'

function start() {
  const clock = createTimers()
  const stream = new EventStream(clock.elapsed)
  const offer = (kind: string, text: string) => stream.offer(kind, () => text)
  /** What a reader gets who takes all that is ready now. */
  const take = async () => {
    let text = ''
    for (;;) {
      await settled()
      const chunk = stream.read()
      if (chunk === null) return text
      text += chunk
    }
  }
  return { clock, stream, offer, take }
}

t.test('an event has its name, its id and its data on lines of their own', (t) => {
  t.equal(eventText('state', '{}', 'x'), 'event: state\nid: x\ndata: {}\n\n')
  t.equal(eventText('checked', '{}'), 'event: checked\ndata: {}\n\n')
  t.equal(retryText(1234.5), 'retry: 1235\n\n')
  t.end()
})

t.test('a reader who keeps up gets every event in order', async (t) => {
  const { stream, offer, take } = start()
  for (const text of ['a', 'b', 'c']) {
    offer('state', text)
    t.equal(await take(), text)
  }
  stream.finish('end')
  t.equal(await take(), 'end')
  await settled()
  t.ok(stream.readableEnded)
})

t.test('for a slow reader one event of each kind waits, the newest, and is made only when it is taken', async (t) => {
  const { stream, offer, take } = start()
  offer('state', '1')
  const made: string[] = []
  for (const text of ['2', '3', '4'])
    stream.offer('state', () => {
      made.push(text)
      return text
    })
  offer('checked', 'old')
  offer('problem', 'p')
  offer('checked', 'new')
  t.strictSame(made, [])
  t.equal(await take(), '14pnew')
  t.strictSame(made, ['4'])
})

t.test('the last text comes after what waits, unless that is dropped', async (t) => {
  for (const drops of [false, true]) {
    const { stream, offer, take } = start()
    offer('state', '1')
    offer('state', '2')
    if (drops) stream.discard()
    stream.finish('end')
    stream.finish('another')
    offer('state', '3')
    t.equal(await take(), drops ? '1end' : '12end')
    await settled()
    t.ok(stream.readableEnded)
  }
})

t.test('the last text is kept when what waits is dropped after it', async (t) => {
  const { stream, offer, take } = start()
  offer('state', '1')
  offer('state', '2')
  stream.finish('end')
  stream.discard()
  t.equal(await take(), '1end')
})

t.test('however much is offered, a reader that takes nothing makes the stream hold one piece of one event', (t) => {
  const { stream, offer } = start()
  const text = 'x'.repeat(1_000_000)
  for (let times = 0; times < 5; times += 1) for (const kind of ['state', 'checked', 'problem']) offer(kind, text)
  t.equal(stream.readableLength, 16_384)
  t.end()
})

t.test('a reader who takes some of a large event is not stalled, and shares its bytes with all others', async (t) => {
  const { clock, stream } = start()
  const shared = Buffer.alloc(100_000, 'x')
  const taken: Buffer[] = []
  let takeNext = () => {}
  stream.pipe(
    new Writable({
      highWaterMark: 1,
      write: (piece, _encoding, done) => {
        taken.push(piece)
        takeNext = done
      },
    }),
  )
  stream.offer('state', () => [Buffer.from('data: '), shared, Buffer.from('\n\n')])
  for (let piece = 1; piece <= 9; piece += 1) {
    await settled()
    t.equal(taken.length, piece)
    await clock.advance(10_000)
    t.ok(stream.stalledMs() <= 10_000)
    takeNext()
  }
  await settled()
  t.equal(stream.stalledMs(), 0)
  t.ok(
    taken.slice(1, -1).every(({ buffer }) => buffer === shared.buffer),
    'no piece is a copy',
  )
  t.equal(Buffer.concat(taken).toString(), `data: ${shared}\n\n`)
})

t.test('a reader is stalled from the last event that it was sent while it takes nothing', async (t) => {
  const { clock, stream, offer, take } = start()
  await clock.advance(60_000)
  t.equal(stream.stalledMs(), 0, 'nothing waits')
  offer('state', '1')
  await clock.advance(1000)
  offer('state', '2')
  await clock.advance(2000)
  t.equal(stream.stalledMs(), 3000)
  await take()
  await clock.advance(1000)
  t.equal(stream.stalledMs(), 0)
})

t.test('nothing is made for a reader who has left', (t) => {
  const { stream } = start()
  stream.destroy()
  stream.offer('state', () => t.fail('it was made') as unknown as string)
  t.end()
})
