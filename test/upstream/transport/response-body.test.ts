import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { UpstreamFailure } from '../../../src/upstream/failures.ts'
import { createConnections } from '../../../src/upstream/transport/connections.ts'
import {
  acceptedEncodings,
  collect,
  decode,
  discardBody,
  revisionOf,
  textOf,
} from '../../../src/upstream/transport/response-body.ts'
import { checkRowsInTurn, difference } from '../../harness/table.ts'
import { createTimers } from '../../harness/timers.ts'
import {
  type Answer,
  canary,
  closed,
  connectionsOptions,
  failureOf,
  httpResponse,
  startRawHilos,
  until,
} from '../raw-hilos.ts'

/** Responses as undici gives them, from a connection that stays open. */
async function arrange(t: Test, answer: Answer, maxBodyBytes = 1_000_000) {
  const hilos = await startRawHilos(t, typeof answer === 'function' ? answer : (socket) => socket.write(answer))
  const connections = createConnections({ ...connectionsOptions, ...hilos, maxConnections: 1, maxBodyBytes })
  t.teardown(connections.destroy)
  const ask = async () =>
    (await connections.kept().dispatcher.request({ origin: hilos.origin, path: '/', method: 'GET' })).body
  return { ...hilos, ask }
}

async function read(t: Test, answer: Answer, codings: readonly string[] = [], maxBytes = 1000): Promise<string> {
  const { ask } = await arrange(t, answer, maxBytes)
  return textOf(await decode(await collect(await ask(), maxBytes), codings, maxBytes))
}

const tooLarge = 'upstream_too_large'
const notGzip = 'invalid gzip'

/** The reason of the failure; `upstream_too_large` for a body that is larger than so many bytes. */
async function reasonOf(promise: Promise<unknown>, maxBytes = 1000): Promise<unknown> {
  const failure = await failureOf(promise)
  const { code, facts } = failure
  // A body that is too large will be so again; one that cannot be read may be complete the next time.
  if (failure instanceof UpstreamFailure) return code === 'upstream_invalid_response' ? facts.reason : code
  return code === tooLarge && facts.maxBytes === maxBytes ? code : 'another final failure'
}

const withLength = (body: Buffer) => httpResponse(200, {}, body)
const chunked = (body: Buffer) =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`),
    body,
    Buffer.from('\r\n0\r\n\r\n'),
  ])
const untilClosed = (body: Buffer) => (socket: Socket) =>
  socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), body]))

t.test('a body of as many bytes as allowed is read, and one byte more is too many', async (t) => {
  for (const frame of [withLength, chunked, untilClosed]) {
    for (const length of [1, 999, 1000]) t.equal((await read(t, frame(Buffer.alloc(length, 'x')))).length, length)
    t.equal(await reasonOf(read(t, frame(Buffer.alloc(1001, 'x')))), tooLarge)
  }
  t.equal(await read(t, withLength(Buffer.alloc(0))), '')
})

t.test('a gzip body of as many decoded bytes as allowed is read, and one byte more is too many', async (t) => {
  for (const length of [0, 999, 1000])
    t.equal((await read(t, withLength(gzipSync(Buffer.alloc(length, 'x'))), ['gzip'])).length, length)
  const bodies = {
    'one byte more': gzipSync(Buffer.alloc(1001, 'x')),
    'a bomb': gzipSync(Buffer.alloc(64 * 1024 * 1024)),
    'a second member': Buffer.concat([gzipSync(Buffer.alloc(1000)), gzipSync('x')]),
    'more encoded bytes than allowed decoded ones': gzipSync(randomBytes(990)),
  }
  for (const [name, body] of Object.entries(bodies))
    t.equal(await reasonOf(read(t, withLength(body), ['gzip'])), tooLarge, name)
})

t.test('short and long gzip bodies, which are decoded in different ways, are read or fail alike', async (t) => {
  for (const length of [10_000, 100_000]) {
    const text = randomBytes(length / 2).toString('hex')
    const encoded = gzipSync(text)
    t.equal(encoded.length > 32 * 1024, length === 100_000)
    t.equal(await read(t, withLength(encoded), ['gzip'], length), text)
    t.equal(await reasonOf(read(t, withLength(encoded), ['gzip'], length - 1), length - 1), tooLarge)
    t.equal(await reasonOf(read(t, withLength(encoded.subarray(0, -1)), ['gzip'], length)), notGzip)
  }
})

/** Writes a beginning, then these bytes without end. */
const pour = (beginning: string, bytes: string) => (socket: Socket) => {
  const fill = () => {
    while (!socket.destroyed && socket.write(bytes)) {}
  }
  socket.on('drain', fill)
  socket.write(beginning)
  fill()
}

t.test('a body without end is not read beyond the limit', async (t) => {
  const { ask, sockets } = await arrange(t, pour('HTTP/1.1 200 OK\r\n\r\n', '\0'.repeat(64 * 1024)), 1000)
  t.equal(await reasonOf(collect(await ask(), 1000)), tooLarge)
  await closed(sockets[0])
})

t.test('a gzip body that is not gzip, or not all of it, is a failure', async (t) => {
  const text = `{"detail":"${canary}"}`
  const encoded = gzipSync(text)
  const bodies = {
    plain: Buffer.from(text),
    empty: Buffer.alloc(0),
    cut: encoded.subarray(0, -1),
    'with a wrong checksum': Buffer.concat([encoded.subarray(0, -8), Buffer.alloc(8)]),
  }
  for (const [name, body] of Object.entries(bodies))
    t.equal(await reasonOf(read(t, withLength(body), ['gzip'])), notGzip, name)
})

t.test('an encoding that was not requested is a failure', async (t) => {
  t.equal(acceptedEncodings, 'gzip')
  const others = ['br', 'deflate', 'zstd', 'compress', 'x-gzip', 'identity', '', canary].map((coding) => [coding])
  for (const codings of [...others, ['gzip', 'gzip'], ['gzip', 'br'], ['br', 'gzip']])
    t.equal(await reasonOf(read(t, withLength(gzipSync('{}')), codings)), 'unsupported content encoding', `${codings}`)
})

t.test('a body that is not UTF-8 is read as well-formed text', async (t) => {
  await checkRowsInTurn(
    t,
    [
      [Buffer.from('María 🚚'), 'María 🚚'],
      [[0xef, 0xbb, 0xbf, 0x7b, 0x7d], '{}'],
      [[0x61, 0xff, 0x62], 'a\ufffdb'],
      [[0xc3], '\ufffd'],
      [[0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
      [[0xc0, 0xaf], '\ufffd\ufffd'],
      [[0xff, 0xfe, 0x7b, 0x00], '\ufffd\ufffd{\0'],
    ] as const,
    async ([bytes, text]) => {
      const body = Buffer.from(bytes)
      const texts = [await read(t, withLength(body)), await read(t, withLength(gzipSync(body)), ['gzip'])]
      return difference(texts, [text, text])
    },
    'the text',
  )
})

t.test('a character that is divided between two chunks is read', async (t) => {
  const body = await read(t, (socket) => {
    const [whole, at] = [withLength(Buffer.from('🚚')), 2]
    socket.write(whole.subarray(0, -at))
    setImmediate(() => socket.write(whole.subarray(-at)))
  })
  t.equal(body, '🚚')
})

t.test('a short discarded body leaves the connection for the next request, a long one closes it', async (t) => {
  for (const length of [0, 100, 64 * 1024, 64 * 1024 + 1]) {
    const { ask, sockets } = await arrange(t, withLength(Buffer.alloc(length)))
    for (let index = 0; index < 5; index += 1) {
      const timers = createTimers()
      await discardBody(await ask(), timers)
      t.strictSame(timers.armed(), [])
    }
    // One, or two if the next request comes before undici has taken the first one back.
    t.equal(sockets.length <= 2, length <= 64 * 1024, `${length} bytes: ${sockets.length} connections`)
  }
})

t.test('a discarded body that never ends or breaks closes the connection, without an error', async (t) => {
  const head = 'HTTP/1.1 500 no\r\ntransfer-encoding: chunked\r\n\r\n'
  const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
  const answers: readonly Answer[] = [
    pour(head, chunk),
    (socket) => socket.end(`${head}${chunk}`),
    (socket) => socket.write(`${head}${chunk}`, () => socket.resetAndDestroy()),
    (socket) => socket.write(`${head}zz\r\n`),
  ]
  for (const answer of answers) {
    const { ask, sockets } = await arrange(t, answer)
    await discardBody(await ask(), createTimers())
    await closed(sockets[0])
    t.ok(sockets[0]?.destroyed)
  }
})

t.test('a discarded body that does not end in time closes the connection', async (t) => {
  const { ask, sockets } = await arrange(t, (socket) =>
    socket.write('HTTP/1.1 500 no\r\ncontent-length: 9\r\n\r\nslow'),
  )
  const timers = createTimers()
  let isDone = false
  const discarded = discardBody(await ask(), timers).then(() => {
    isDone = true
  })
  await timers.advance(99)
  t.strictSame([isDone, sockets[0]?.destroyed], [false, false])
  await timers.advance(1)
  await discarded
  await until(() => sockets[0]?.destroyed === true)
  t.strictSame(timers.armed(), [])
})

/** Gzip as it is sent: with a name, as Django adds one of random characters, and the time of the compression. */
function named(text: string, name: string, time: number): Buffer {
  const plain = gzipSync(text)
  const header = Buffer.from(plain.subarray(0, 10))
  header[3] = 0x08
  header.writeUInt32LE(time, 4)
  return Buffer.concat([header, Buffer.from(`${name}\0`), plain.subarray(10)])
}

t.test('bodies that are the same when they are decoded have the same revision, whatever their header of gzip', (t) => {
  const revision = revisionOf(gzipSync('{"a":1}'), ['gzip'])
  for (const [name, time] of [
    ['', 0],
    ['x', 1],
    ['random name', 0xffffffff],
  ] as const)
    t.equal(revisionOf(named('{"a":1}', name, time), ['gzip']), revision)
  t.not(revisionOf(gzipSync('{"a":2}'), ['gzip']), revision)
  t.not(revisionOf(gzipSync('{"a":1}'), []), revision, 'without the coding, the bytes are others')
  t.not(revisionOf(gzipSync('{"a":1}').subarray(10), ['gzip']), revision, 'without the header, it is no gzip')
  t.not(revisionOf(gzipSync('{"a":1}').subarray(10), []), revision)
  for (const coding of ['deflate', 'behind the header of gzip', 'br'])
    t.not(revisionOf(gzipSync('{"a":1}').subarray(10), [coding]), revision, coding)
  t.end()
})

t.test('two bodies with the same revision decode to the same bytes, whichever byte differs', async (t) => {
  const decoded = async (bytes: Buffer, codings: readonly string[]) =>
    await decode(bytes, codings, 1000).then(String, (error: Error) => error.name)
  for (const [body, codings] of [
    [Buffer.from('{"a":"one two"}'), []],
    [gzipSync('{"a":"one two"}'), ['gzip']],
    [named('{"a":"one two"}', 'name', 1), ['gzip']],
    [Buffer.concat([gzipSync('{"a":'), named('1}', 'name', 1)]), ['gzip']],
  ] as const) {
    const [revision, text] = [revisionOf(body, codings), await decoded(body, codings)]
    let same = 0
    for (const index of body.keys())
      for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
        const changed = Buffer.from(body)
        changed[index] = (changed[index] as number) ^ bit
        if (revisionOf(changed, codings) !== revision) continue
        same += 1
        if ((await decoded(changed, codings)) !== text) t.fail(`byte ${index}, bit ${bit}`)
      }
    // Those of the time, of two bytes that say how it was compressed and where, and of the name.
    t.equal(same, codings.length === 0 ? 0 : body[3] === 0 ? 48 : 48 + 4 * 8, String(codings))
  }
})

t.test('a header of gzip that is not understood counts as content', (t) => {
  const [before, after] = [gzipSync('{}'), Buffer.from(gzipSync('{}'))]
  for (const flags of [0x01, 0x02, 0x04, 0x10, 0x0c, 0x80]) {
    for (const body of [before, after]) body[3] = flags
    after[4] = 1
    t.not(revisionOf(before, ['gzip']), revisionOf(after, ['gzip']), `flags ${flags}`)
  }
  const endless = named('', '', 0).subarray(0, 10)
  t.not(
    revisionOf(Buffer.concat([endless, Buffer.from('a')]), ['gzip']),
    revisionOf(Buffer.concat([endless, Buffer.from('b')]), ['gzip']),
  )
  t.end()
})
