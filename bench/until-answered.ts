import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Running } from './processes.ts'

const limitMs = 20_000
const pauseMs = 2

/**
 * Waits until a server answers anything at all.
 * @returns milliseconds it took from now
 * @throws Error when it ends first, or does not answer within 20 s
 */
export async function untilAnswered(url: string, { child, complaints }: Running): Promise<number> {
  const began = performance.now()
  while (performance.now() - began < limitMs && child.exitCode === null && child.signalCode === null) {
    if (await answers(url)) return performance.now() - began
    await sleep(pauseMs)
  }
  throw new Error(`no answer at ${url}: ${complaints().trim()}`)
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      response.resume().once('close', () => resolve(true))
    }).once('error', () => resolve(false))
  })
}
