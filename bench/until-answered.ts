import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningProgram } from './processes.ts'

const limitMs = 20_000
const pauseMs = 2

/**
 * Waits until a server responds, with any status.
 * @returns how long that took, in milliseconds
 * @throws Error if the server ends before, or does not respond within 20 s
 */
export async function untilAnswered(url: string, { child, stderrTail }: RunningProgram): Promise<number> {
  const began = performance.now()
  while (performance.now() - began < limitMs && child.exitCode === null && child.signalCode === null) {
    if (await answers(url)) return performance.now() - began
    await sleep(pauseMs)
  }
  throw new Error(`there is no response from ${url}: ${stderrTail().trim()}`)
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      response.resume().once('close', () => resolve(true))
    }).once('error', () => resolve(false))
  })
}
