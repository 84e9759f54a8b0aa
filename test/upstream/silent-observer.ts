import type { HilosObserver } from '../../src/upstream/observer.ts'

const ignore = () => {}

/** Ignores all events. */
export const silentObserver: HilosObserver = {
  slotGranted: ignore,
  slotRefused: ignore,
  callEnded: ignore,
  callRetried: ignore,
  tokenRefused: ignore,
  tokenChanged: ignore,
  circuitOpened: ignore,
  circuitClosed: ignore,
}
