import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { relative, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../..', import.meta.url))
const processes = 'test/processes/'

/**
 * Runs test files one after the other in this process, which is several times cheaper than a process for each file. The
 * files of each kind are found and dealt out to its lanes in alphabetical order, so that each file is in exactly one lane.
 *
 * @param kind `processes` for the files in `test/processes`, `fast` for all others, which must start no process
 * @param lane from 1 to `lanes`
 */
export async function runLane(kind: 'fast' | 'processes', lane: number, lanes: number): Promise<void> {
  const files = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
    .map((file) => `test/${file.replaceAll(sep, '/')}`)
    .filter((file) => file.endsWith('.test.ts') && !file.startsWith('test/lanes/'))
    .filter((file) => file.startsWith(processes) === (kind === 'processes'))
    .sort()
  await runFiles(files.filter((_file, index) => index % lanes === lane - 1))
}

/** Runs these test files one after the other in this process. A file that cannot be loaded or has no test fails. A skipped test is one. */
export async function runFiles(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const name = relative(root, file).replaceAll(sep, '/')
    const startedMs = performance.now()
    const tookS = () => `${((performance.now() - startedMs) / 1000).toFixed(1)} s`
    const reminder = setInterval(() => console.error(`${name} has been running for ${tookS()}`), 60_000).unref()
    await runFile(name)
    clearInterval(reminder)
    t.comment(`${name}: ${tookS()}`)
  }
}

async function runFile(name: string): Promise<void> {
  const before = t.count
  const onProcess = () => {
    if (!name.startsWith(processes)) t.fail(`${name} starts a process: move it to ${processes}`)
  }
  subscribe('child_process', onProcess)
  try {
    await import(pathToFileURL(root + name).href)
  } catch (error) {
    t.fail(`${name} cannot be loaded`, { error })
  }
  while (!t.idle) await once(t, 'idle')
  if (t.count === before) t.fail(`${name} has no test`)
  unsubscribe('child_process', onProcess)
}
