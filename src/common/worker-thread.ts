import { Worker } from 'node:worker_threads'
import type { Cancel, Clock } from './clock.ts'

export interface WorkerThreadOptions {
  /** The module that the thread runs. It sends one message, the result, for each message that it gets, a task. */
  readonly module: URL
  /** The `workerData` of the thread. */
  readonly data: unknown
  /** The thread ends when it has had no task for this long, in milliseconds. The next task starts another one. */
  readonly idleMs: number
  readonly clock: Pick<Clock, 'schedule'>
}

/** There was no result in time. */
export class ThreadTimeout extends Error {
  override readonly name = 'ThreadTimeout'
}

/** The thread could not start, or ended before it had a result. The cause is its error. */
export class ThreadEnded extends Error {
  override readonly name = 'ThreadEnded'
}

interface WaitingTask<Task, Result> extends PromiseWithResolvers<Result> {
  readonly task: Task
  readonly cancelTimeout: Cancel
}

/** A thread that works on one task after another, and exists only while there are any. It keeps the process alive. */
export function createWorkerThread<Task, Result>(options: WorkerThreadOptions) {
  const { module, data, idleMs, clock } = options
  /** The first is in work. */
  const tasks: WaitingTask<Task, Result>[] = []
  let thread: Worker | null = null
  let isClosed = false
  let cancelEnd: Cancel = () => {}

  function start(): Worker {
    // Without the options and the environment of the process: they have secrets, and modules that are not meant for this thread.
    const started = new Worker(module, { workerData: data, execArgv: [], env: {} })
    let cause: unknown
    started.on('message', (result: Result) => {
      if (thread === started) settle(({ resolve }) => resolve(result))
    })
    started.on('error', (error) => {
      cause = error
    })
    started.on('exit', () => {
      if (thread !== started) return
      thread = null
      settle(({ reject }) => reject(new ThreadEnded('before it had a result', { cause })))
    })
    return started
  }

  function workOnNext(): void {
    cancelEnd()
    if (tasks.length > 0) work()
    else if (thread !== null) cancelEnd = clock.schedule(end, idleMs)
  }

  function work(): void {
    try {
      thread ??= start()
      thread.postMessage(tasks[0]?.task)
    } catch (cause) {
      settle(({ reject }) => reject(new ThreadEnded('it could not start', { cause })))
    }
  }

  function settle(settleFirst: (first: WaitingTask<Task, Result>) => void): void {
    const first = tasks.shift()
    first?.cancelTimeout()
    if (first) settleFirst(first)
    workOnNext()
  }

  function end(): void {
    const ending = thread
    thread = null
    void ending?.terminate()
  }

  /** Work cannot be interrupted, but its thread can. */
  function timeOut(waiting: WaitingTask<Task, Result>): void {
    waiting.reject(new ThreadTimeout())
    const isInWork = tasks[0] === waiting
    tasks.splice(tasks.indexOf(waiting), 1)
    if (!isInWork) return
    end()
    workOnNext()
  }

  return {
    /** Resolves to the result of the task. Rejects with {@link ThreadTimeout} after so many milliseconds, or {@link ThreadEnded}. */
    run: (task: Task, timeoutMs: number): Promise<Result> => {
      if (isClosed) return Promise.reject(new ThreadEnded('when it was closed'))
      const cancelTimeout = clock.schedule(() => timeOut(waiting), timeoutMs)
      const waiting = { task, cancelTimeout, ...Promise.withResolvers<Result>() }
      if (tasks.push(waiting) === 1) workOnNext()
      return waiting.promise
    },
    /** Ends the thread and its tasks. */
    close: (): void => {
      isClosed = true
      cancelEnd()
      end()
      for (const { reject, cancelTimeout } of tasks.splice(0)) {
        cancelTimeout()
        reject(new ThreadEnded('when it was closed'))
      }
    },
  }
}
