import { execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { killIfReadingHangs, readBoundedFile } from '../../src/common/bounded-file.ts'
import { preload, startProcess } from '../harness/process.ts'
import { settingsFor } from '../harness/service-process.ts'

/** The path of a named pipe without a writer. */
function pipeIn(t: Test): string {
  const path = join(t.testdir({}), 'pipe')
  execFileSync('mkfifo', [path])
  return path
}

t.test('a pipe is read to its end at the start, and is no regular file later', async (t) => {
  const path = pipeIn(t)
  const text = 'x'.repeat(300_000)
  writeFileSync(join(path, '../text'), text)
  const writer = spawn('cp', [join(path, '../text'), path])
  t.teardown(() => writer.kill('SIGKILL'))
  const { content, seen } = await readBoundedFile(path, 1_000_000, true)
  t.strictSame(content, { text })
  t.match(seen, { isPipe: true })
  t.match((await readBoundedFile(path, 1_000_000)).content, { problem: 'the file is not a regular file' })
})

t.test('the end of the process does not wait for a reading that hangs', async (t) => {
  const path = pipeIn(t)
  const startedMs = performance.now()
  const kills: unknown[] = []
  const endAfter = (ms: number) => {
    const kill = (...args: unknown[]): true => {
      kills.push(args)
      return true
    }
    killIfReadingHangs({ pid: 7, kill }, { elapsed: () => startedMs + ms })
    return kills.splice(0)
  }
  const reading = readBoundedFile(path, 8, true)
  t.strictSame(endAfter(499), [])
  t.strictSame(endAfter(60_000), [[7, 'SIGKILL']])
  closeSync(openSync(path, 'w'))
  t.match(await reading, { content: { problem: 'the file is empty' } })
  t.strictSame(endAfter(60_000), [])
})

t.test('a start and a check whose file cannot be read in time say so and end', async (t) => {
  // The five seconds are over soon.
  const impatient = preload(`const { setTimeout } = globalThis
    globalThis.setTimeout = (run, ms, ...rest) => setTimeout(run, ms === 5000 ? 600 : ms, ...rest)`)
  const settings = { ...settingsFor('http://127.0.0.1:1'), HILOS_TOKEN: '', HILOS_TOKEN_FILE: pipeIn(t) }
  const [serving, checking] = [[], ['--check']].map((args) =>
    startProcess(t, 'src/main.ts', settings, { args, nodeOptions: impatient }),
  )
  // The end waits for no thread, so it is a kill, which has no exit status.
  t.equal(await serving?.ended, null)
  t.match(serving?.stderr(), / {2}HILOS_TOKEN_FILE: the file cannot be read within 5 seconds\n/)
  t.equal(await checking?.ended, null)
  t.match(checking?.stdout(), /fail +HILOS_TOKEN_FILE +The file cannot be read within 5 seconds\./)
})
