import { parentPort, threadId } from 'node:worker_threads'

/** The module of a thread for tests. It replies with the id of the thread, or does what the task says. */
parentPort?.on('message', async (task: string) => {
  if (task === 'throw') throw new Error('thrown')
  if (task === 'exit') process.exit(0)
  if (task === 'hang') for (;;);
  if (task === 'busy') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  const name = task === 'env' ? Object.keys(process.env).length + process.execArgv.length : task
  parentPort?.postMessage(`${name} ${threadId}`)
  if (task === 'last') process.exit(0)
})
