import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { execPath } from 'node:process'
import { mock } from 'node:test'
import t from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { createLogger, describeError } from '../../src/telemetry/logger.ts'

t.test('a failure known by name, when logged, shows its code, its facts and its causes', async (t) => {
  const cause = Object.assign(new TypeError('canary'), { code: 'E_CAUSE', body: 'canary' })
  const record = describeError(new Failure('upstream_error', { facts: { upstreamStatus: 500 }, cause }))
  t.match(record, {
    type: 'Failure',
    code: 'upstream_error',
    upstreamStatus: 500,
    cause: { type: 'TypeError', code: 'E_CAUSE', frames: [/^at .*logger\.test\.ts:\d+:\d+/] },
  })
  t.notMatch(JSON.stringify(record), /canary/)
})

t.test('a foreign error, whatever it says and carries, shows its type, its code and its frames', async (t) => {
  const hostile = Object.assign(new Error('canary\n    at canary\n    at x (canary.js:1:1)\n    at canary:1:1'), {
    code: { canary: 1 },
    request: { headers: { authorization: 'canary' } },
  })
  t.strictSame(Object.keys(describeError(hostile)), ['type', 'frames'])
  t.notMatch(JSON.stringify(describeError(hostile)), /canary/)
  t.equal(describeError(Object.assign(new Error('x'), { code: 7 })).code, 7)
  t.strictSame(describeError(Object.assign(new Error('x'), { stack: undefined })), { type: 'Error', frames: [] })
})

t.test('a thrown thing that is no error, shows its type only', async (t) => {
  t.strictSame(describeError('canary'), { type: 'string' })
  t.strictSame(describeError(new Error('x', { cause: { canary: 1 } })).cause, { type: 'object' })
})

t.test('the log, when given a request, a response or an error, keeps them out', async (t) => {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  logger.info(
    { req: { url: 'canary' }, res: { headers: 'canary' }, err: new Error('canary'), error: new Error('canary') },
    'said',
  )
  logger.debug('below the level')
  t.equal(lines.length, 1)
  t.notMatch(lines[0], /canary/)
  t.match(JSON.parse(lines[0] ?? ''), { level: 30, msg: 'said', time: /^\d{4}-\d\d-\d\dT/, err: { type: 'Error' } })
})

t.test('the log, when a library logs an error without words, does not take the error’s', async (t) => {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  logger.error(new Error('canary'))
  logger.child({ requestId: 'r1' }).error({ err: new Error('canary') })
  logger.error(new Error('canary'), 'ours')
  logger.info('only words')
  t.notMatch(lines.join(''), /canary/)
  t.match(
    lines.map((line) => JSON.parse(line)),
    [
      { msg: 'without words', err: { type: 'Error' } },
      { msg: 'without words', err: { type: 'Error' }, requestId: 'r1' },
      { msg: 'ours', err: { type: 'Error' } },
      { msg: 'only words' },
    ],
  )
})

t.test('standard output, when written to, has the lines in order; trouble at once, the rest before long', async (t) => {
  const script = `${t.testdir()}/says-hello.ts`
  const logger = new URL('../../src/telemetry/logger.ts', import.meta.url)
  const said = (ending: string) => {
    const lines = [
      `import { writeSync } from 'node:fs'`,
      `import { createLogger, createLogOutput } from '${logger}'`,
      'const output = createLogOutput()',
      `const logger = createLogger('info', output)`,
      `logger.info('first')`,
      `writeSync(1, '"meanwhile"\\n')`,
      ending,
    ]
    writeFileSync(script, lines.join('\n'))
    const { stdout, stderr } = spawnSync(execPath, [script], { encoding: 'utf8' })
    t.equal(stderr, '')
    return stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).msg ?? JSON.parse(line))
  }
  t.strictSame(said(`logger.warn('trouble'); process.kill(process.pid, 'SIGKILL')`), ['meanwhile', 'first', 'trouble'])
  t.strictSame(said('setTimeout(() => {}, 1000)'), ['meanwhile', 'first'], 'without anybody flushing')
  t.strictSame(said('output.flushSync()'), ['meanwhile', 'first'])
  t.strictSame(said('process.exit()'), ['meanwhile'], 'which is why main.ts flushes at the end')
})

t.test('the time of a line, however many there are in a millisecond, is the time it was written', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: 0 })
  t.teardown(() => mock.timers.reset())
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  for (const ms of [0, 0, 1, 998, 1]) {
    mock.timers.tick(ms)
    logger.info('said')
  }
  mock.timers.setTime(500)
  logger.info('said when the clock had been set back')
  t.strictSame(
    lines.map((line) => JSON.parse(line).time.slice(-9)),
    ['00:00.000Z', '00:00.000Z', '00:00.001Z', '00:00.999Z', '00:01.000Z', '00:00.500Z'].map((time) => time.slice(-9)),
  )
})
