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

/** The thread ended before it had a result: it ran out of memory, or was closed. The cause is its error, if it had one. */
export class ThreadEnded extends Error {
  override readonly name = 'ThreadEnded'
}

interface WaitingTask<Task, Result> extends PromiseWithResolvers<Result> {
  readonly task: Task
}

/** A thread that works on one task after another, and exists only while there are any. */
export function createWorkerThread<Task, Result>({ module, data, idleMs, clock }: WorkerThreadOptions) {
  /** The first is in work. */
  const tasks: WaitingTask<Task, Result>[] = []
  let thread: Worker | null = null
  let cancelEnd: Cancel = () => {}

  function start(): Worker {
    // Without the options of the process, because a module that it preloads is not meant for this thread.
    const started = new Worker(module, { workerData: data, execArgv: [] })
    started.on('message', (result: Result) => settle(({ resolve }) => resolve(result)))
    let cause: unknown
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

  function work(): void {
    cancelEnd()
    thread ??= start()
    thread.ref()
    thread.postMessage(tasks[0]?.task)
  }

  function settle(settleFirst: (first: WaitingTask<Task, Result>) => void): void {
    const first = tasks.shift()
    if (first) settleFirst(first)
    if (tasks.length > 0) work()
    else {
      // Without work, it does not keep the process alive.
      thread?.unref()
      cancelEnd = clock.schedule(end, idleMs)
    }
  }

  function end(): void {
    const ending = thread
    thread = null
    void ending?.terminate()
  }

  return {
    /** Resolves to the result of the task. Rejects with {@link ThreadEnded}. */
    run: (task: Task): Promise<Result> => {
      const waiting = { task, ...Promise.withResolvers<Result>() }
      if (tasks.push(waiting) === 1) work()
      return waiting.promise
    },
    /** Ends the thread and its tasks. */
    close: (): void => {
      cancelEnd()
      end()
      for (const { reject } of tasks.splice(0)) reject(new ThreadEnded('when it was closed'))
    },
  }
}
