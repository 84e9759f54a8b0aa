import { parentPort, threadId } from 'node:worker_threads'

/** The module of a thread for tests. It replies with the id of the thread, or ends in the way that the task says. */
parentPort?.on('message', async (task: string) => {
  if (task === 'throw') throw new Error('thrown')
  if (task === 'exit') process.exit(0)
  parentPort?.postMessage(`${task} ${threadId}`)
  if (task === 'last') process.exit(0)
})
