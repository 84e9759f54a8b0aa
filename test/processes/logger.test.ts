import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { execPath } from 'node:process'
import t from 'tap'
import { checkRows, difference } from '../harness/table.ts'

t.test('lines are written in order: a warning at once with those before it, the others at a flush', async (t) => {
  const script = `${t.testdir()}/logs.ts`
  const moduleOf = (path: string) => new URL(`../../src/${path}`, import.meta.url)
  const endings = [
    [`logger.warn('warning'); process.kill(process.pid, 'SIGKILL')`, ['meanwhile', 'first', 'warning']],
    // The timer keeps the process alive until the log flushes without a call.
    ['setInterval(() => process.exit(), 1000)', ['meanwhile', 'first']],
    ['output.flushAtExit()', ['meanwhile', 'first']],
    // This is why main.ts flushes at the exit.
    ['process.exit()', ['meanwhile']],
  ] as const
  const checkEnding = ([ending, wanted]: (typeof endings)[number]) => {
    const code = `import { writeSync } from 'node:fs'
      import { logLimits } from '${moduleOf('config/limits.ts')}'
      import { createLogOutput } from '${moduleOf('telemetry/log-output.ts')}'
      import { createLogger } from '${moduleOf('telemetry/logger.ts')}'
      const output = createLogOutput(logLimits)
      const logger = createLogger('info', output)
      logger.info('first')
      writeSync(1, '{"msg":"meanwhile"}\\n')
      ${ending}`
    writeFileSync(script, code)
    const { stdout, stderr } = spawnSync(execPath, [script], { encoding: 'utf8' })
    const messages = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).msg)
    return difference([messages, stderr], [wanted, ''])
  }
  checkRows(t, endings, checkEnding, 'the lines are in standard output')
})
