import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { createConnections } from '../../../src/upstream/transport/connections.ts'
import { acceptedEncodings, discardBody, readBody, textOf } from '../../../src/upstream/transport/response-body.ts'
import { UpstreamFailure } from '../../../src/upstream/upstream-failure.ts'
import { type Answer, canary, closed, failureOf, httpResponse, startRawHilos } from '../raw-hilos.ts'

/** A body that is too large will be so again; one that cannot be read may be whole the next time. */
async function bodyFailureOf(t: Test, promise: Promise<unknown>) {
  const failure = await failureOf(t, promise)
  t.equal(failure instanceof UpstreamFailure, failure.code !== 'upstream_too_large')
  return failure
}

/** Responses as undici gives them, from a connection that stays open. */
async function arrange(t: Test, answer: Answer, maxBodyBytes = 1_000_000) {
  const hilos = await startRawHilos(t, typeof answer === 'function' ? answer : (socket) => socket.write(answer))
  const { kept } = createConnections({
    baseUrl: hilos.origin,
    connectTimeoutMs: 1000,
    maxConnections: 1,
    maxBodyBytes,
  })
  t.teardown(() => kept.destroy())
  const ask = async () => (await kept.request({ path: '/', method: 'GET' })).body
  return { ...hilos, ask }
}

async function read(t: Test, answer: Answer, encoding = 'identity', maxBytes = 1000): Promise<string> {
  const { ask } = await arrange(t, answer, maxBytes)
  return textOf(await readBody(await ask(), encoding, maxBytes))
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

const framings = { 'with a length': withLength, chunked, 'until the connection closes': untilClosed }
for (const [name, frame] of Object.entries(framings))
  t.test(`a body ${name}, when it has as many bytes as allowed, is read; one more is too many`, async (t) => {
    for (const length of [1, 999, 1000]) t.equal((await read(t, frame(Buffer.alloc(length, 'x')))).length, length)
    const { code, facts } = await bodyFailureOf(t, read(t, frame(Buffer.alloc(1001, 'x'))))
    t.equal(code, 'upstream_too_large')
    t.strictSame(facts, { maxBytes: 1000 })
  })

t.test('an empty body, when read, is an empty text', async (t) => {
  t.equal(await read(t, withLength(Buffer.alloc(0))), '')
})

t.test('a gzip body, when it unpacks to as many bytes as allowed, is read; one more is too many', async (t) => {
  for (const length of [0, 999, 1000])
    t.equal((await read(t, withLength(gzipSync(Buffer.alloc(length, 'x'))), 'gzip')).length, length)
  const tooLarge = {
    'one byte more': gzipSync(Buffer.alloc(1001, 'x')),
    'a bomb': gzipSync(Buffer.alloc(64 * 1024 * 1024)),
    'a second member': Buffer.concat([gzipSync(Buffer.alloc(1000)), gzipSync('x')]),
    'more packed than allowed unpacked': gzipSync(randomBytes(990)),
  }
  for (const [name, packed] of Object.entries(tooLarge)) {
    const { code, facts } = await bodyFailureOf(t, read(t, withLength(packed), 'gzip'))
    t.equal(code, 'upstream_too_large', name)
    t.strictSame(facts, { maxBytes: 1000 })
  }
})

t.test('a gzip body, whether unpacked on the spot or aside, is read or fails in the same way', async (t) => {
  for (const length of [10_000, 100_000]) {
    const text = randomBytes(length / 2).toString('hex')
    const packed = gzipSync(text)
    t.equal(packed.length > 32 * 1024, length === 100_000)
    t.equal(await read(t, withLength(packed), 'gzip', length), text)
    const tooLarge = await bodyFailureOf(t, read(t, withLength(packed), 'gzip', length - 1))
    t.equal(tooLarge.code, 'upstream_too_large')
    const cut = await bodyFailureOf(t, read(t, withLength(packed.subarray(0, -1)), 'gzip', length))
    t.strictSame(cut.facts, { reason: 'not the gzip it says it is' })
  }
})

t.test('a body that never ends, when it is over the limit, is not read on', async (t) => {
  const { ask, sockets } = await arrange(
    t,
    (socket) => {
      const pour = () => {
        while (!socket.destroyed && socket.write(Buffer.alloc(64 * 1024))) {}
      }
      socket.on('drain', pour)
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      pour()
    },
    1000,
  )
  const { code } = await bodyFailureOf(t, readBody(await ask(), 'identity', 1000))
  t.equal(code, 'upstream_too_large')
  await closed(sockets[0])
})

t.test('a body, when it says gzip and is not, or not all of it, is a failure', async (t) => {
  const packed = gzipSync(`{"detail":"${canary}"}`)
  const table = {
    plain: Buffer.from(`{"detail":"${canary}"}`),
    empty: Buffer.alloc(0),
    cut: packed.subarray(0, -1),
    'with a wrong checksum': Buffer.concat([packed.subarray(0, -8), Buffer.alloc(8)]),
  }
  for (const [name, body] of Object.entries(table)) {
    const { code, facts } = await bodyFailureOf(t, read(t, withLength(body), 'gzip'))
    t.equal(code, 'upstream_invalid_response', name)
    t.strictSame(facts, { reason: 'not the gzip it says it is' })
  }
})

t.test('a body, when in an encoding never asked for, is a failure', async (t) => {
  t.equal(acceptedEncodings, 'gzip')
  for (const encoding of ['br', 'deflate', 'zstd', 'compress', 'x-gzip', 'gzip, gzip', 'identity, gzip', '', canary]) {
    const { code, facts } = await bodyFailureOf(t, read(t, withLength(gzipSync('{}')), encoding))
    t.equal(code, 'upstream_invalid_response', encoding)
    t.strictSame(facts, { reason: 'a content encoding never asked for' })
  }
})

t.test('a body, when it is not quite UTF-8, is well-formed text all the same', async (t) => {
  const table: readonly (readonly [string | number[], string])[] = [
    ['María 🚚', 'María 🚚'],
    [[0xef, 0xbb, 0xbf, 0x7b, 0x7d], '{}'],
    [[0x61, 0xff, 0x62], 'a\ufffdb'],
    [[0xc3], '\ufffd'],
    [[0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
    [[0xc0, 0xaf], '\ufffd\ufffd'],
    [[0xff, 0xfe, 0x7b, 0x00], '\ufffd\ufffd{\0'],
  ]
  for (const [bytes, text] of table) {
    const body = Buffer.from(bytes as string)
    t.equal(await read(t, withLength(body)), text)
    t.equal(await read(t, withLength(gzipSync(body)), 'gzip'), text)
  }
})

t.test('a body, when a character is cut between two chunks, is put together again', async (t) => {
  const body = await read(t, (socket) => {
    const [whole, at] = [withLength(Buffer.from('🚚')), 2]
    socket.write(whole.subarray(0, -at))
    setImmediate(() => socket.write(whole.subarray(-at)))
  })
  t.equal(body, '🚚')
})

t.test('a body, when it is cut, fails with what the stream fails with', async (t) => {
  await t.rejects(
    read(t, (socket) => socket.end(withLength(Buffer.alloc(100)).subarray(0, -1))),
    { code: 'UND_ERR_SOCKET' },
  )
})

t.test('discarded bodies, when short, leave the connection for the next request; long ones drop it', async (t) => {
  const longest = 64 * 1024
  for (const [length, isKept] of [
    [0, true],
    [100, true],
    [longest, true],
    [longest + 1, false],
  ] as const) {
    const { ask, sockets } = await arrange(t, withLength(Buffer.alloc(length)))
    for (let index = 0; index < 5; index += 1) {
      const body = await ask()
      discardBody(body)
      await closed(body)
    }
    // Kept is one, or two where the next request comes before undici has taken the first one back.
    t.equal(sockets.length <= 2, isKept, `${length} bytes: ${sockets.length} connections`)
  }
})

t.test('a discarded body, when it never ends or breaks, drops the connection and troubles nobody', async (t) => {
  const head = 'HTTP/1.1 500 no\r\ntransfer-encoding: chunked\r\n\r\n'
  const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
  const answers: Record<string, (socket: Socket) => void> = {
    'never ends': (socket) => {
      const pour = () => {
        while (!socket.destroyed && socket.write(chunk)) {}
      }
      socket.on('drain', pour)
      socket.write(head)
      pour()
    },
    'is cut': (socket) => socket.end(`${head}${chunk}`),
    'is reset': (socket) => socket.write(`${head}${chunk}`, () => socket.resetAndDestroy()),
    'is malformed': (socket) => socket.write(`${head}zz\r\n`),
  }
  for (const [name, answer] of Object.entries(answers)) {
    const { ask, sockets } = await arrange(t, answer)
    const body = await ask()
    discardBody(body)
    await closed(body)
    const [socket] = sockets
    await closed(socket)
    t.ok(socket?.destroyed, name)
  }
})
