import { mock } from 'node:test'
import t from 'tap'
import { Failure } from '../../src/failures/failure.ts'
import { createLogger, describeError } from '../../src/telemetry/logger.ts'

/** A logger, and the lines that it has written. */
function start() {
  const lines: string[] = []
  const logger = createLogger('info', { write: (line) => void lines.push(line) })
  return { logger, lines, logLines: () => lines.map((line) => JSON.parse(line)) }
}

t.test('a failure is logged with its code, its facts and its causes', async (t) => {
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

t.test('any other error is logged with its type, its code and its frames', async (t) => {
  const hostile = Object.assign(new Error('canary\n    at canary\n    at x (canary.js:1:1)\n    at canary:1:1'), {
    code: { canary: 1 },
    request: { headers: { authorization: 'canary' } },
  })
  t.strictSame(Object.keys(describeError(hostile)), ['type', 'frames'])
  t.notMatch(JSON.stringify(describeError(hostile)), /canary/)
  t.equal(describeError(Object.assign(new Error('x'), { code: 7 })).code, 7)
  t.strictSame(describeError(Object.assign(new Error('x'), { stack: undefined })), { type: 'Error', frames: [] })
  t.strictSame(describeError('canary'), { type: 'string' }, 'what is thrown may not be an error')
  t.strictSame(describeError(new Error('x', { cause: { canary: 1 } })).cause, { type: 'object' })
})

t.test('the log leaves out requests, responses and the messages of errors', async (t) => {
  const { logger, lines, logLines } = start()
  const err = new Error('canary')
  logger.info({ req: { url: 'canary' }, res: { headers: 'canary' }, err, error: err }, 'said')
  logger.debug('below the level')
  // pino takes the message of an error that is logged without one.
  logger.error(err)
  logger.child({ requestId: 'r1' }).error({ err })
  logger.error(err, 'ours')
  logger.info('only words')
  t.notMatch(lines.join(''), /canary/)
  t.match(logLines(), [
    { level: 30, msg: 'said', time: /^\d{4}-\d\d-\d\dT/, err: { type: 'Error' } },
    { msg: 'error without a message', err: { type: 'Error' } },
    { msg: 'error without a message', err: { type: 'Error' }, requestId: 'r1' },
    { msg: 'ours', err: { type: 'Error' } },
    { msg: 'only words' },
  ])
  t.equal(lines.length, 5)
})

t.test('each line has the time at which it was written', async (t) => {
  mock.timers.enable({ apis: ['Date'], now: 0 })
  t.teardown(() => mock.timers.reset())
  const { logger, logLines } = start()
  for (const ms of [0, 0, 1, 998, 1]) {
    mock.timers.tick(ms)
    logger.info('said')
  }
  mock.timers.setTime(500)
  logger.info('said when the clock had been set back')
  const times = logLines().map(({ time }) => time.slice(-7))
  t.strictSame(times, ['00.000Z', '00.000Z', '00.001Z', '00.999Z', '01.000Z', '00.500Z'])
})
