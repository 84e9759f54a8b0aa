import { hash } from 'node:crypto'
import { type FSWatcher, watch as watchWithNode } from 'node:fs'
import { dirname } from 'node:path'
import { type FileContent, readBoundedFile } from '../common/bounded-file.ts'

export interface WatchedFileOptions {
  /** A larger file is a problem. */
  readonly maxBytes: number
  /** What is known of it already, so that only what differs is told; what it says now unless given. */
  readonly known?: FileContent
  /** How long after the first sign of a change the file is read, so that a burst of writes is one change; 100 ms by default. */
  readonly settleMs?: number
  /** How often it is read without a sign; 10 s by default. */
  readonly pollMs?: number
  /** Runs something later, unless it is called off; timers that keep no process alive by default. */
  readonly schedule?: (run: () => void, ms: number) => () => void
  /** Node's by default. */
  readonly watch?: Watch
}

type Watch = (folder: string, options: { readonly persistent: false }, onSign: () => void) => FSWatcher

export interface WatchedFile {
  /** Nothing is told any more. */
  readonly close: () => void
}

/**
 * Tells when a file says something else than before, or can no longer be used, once each time.
 *
 * Mounted secrets change by a link that is renamed over, beside the file or above it, so the folder is watched. A bind
 * mount and a file system of the network give no sign, so the file is read from time to time as well; each time the
 * folder is watched anew, because the one of that name may be another by now.
 * @param path as given: links in it are followed each time
 * @param onChange what it throws is nobody's to catch
 */
export function watchFile(
  path: string,
  onChange: (content: FileContent) => void,
  options: WatchedFileOptions,
): WatchedFile {
  const { maxBytes, settleMs = 100, pollMs = 10_000, schedule = scheduleTimer, watch = watchWithNode } = options
  let told = digestOf(options.known ?? readBoundedFile(path, maxBytes))
  let watcher: FSWatcher | null = null
  let cancelLook: (() => void) | null = null
  let cancelPoll = schedule(poll, pollMs)

  function look(): void {
    cancelLook = null
    const content = readBoundedFile(path, maxBytes)
    const digest = digestOf(content)
    if (digest === told) return
    told = digest
    onChange(content)
  }

  /** Further signs do not put it off: a folder in which there is always something going on is one that is read too. */
  function lookSoon(): void {
    cancelLook ??= schedule(look, settleMs)
  }

  function watchAnew(): void {
    watcher?.close()
    watcher = startWatching(dirname(path), watch, lookSoon)
    // For what has changed before.
    lookSoon()
  }

  function poll(): void {
    cancelPoll = schedule(poll, pollMs)
    watchAnew()
  }

  watchAnew()
  return {
    close: () => {
      cancelPoll()
      cancelLook?.()
      watcher?.close()
    },
  }
}

/** Null where that cannot be done; then, and after an error, there is the poll. */
function startWatching(folder: string, watch: Watch, onSign: () => void): FSWatcher | null {
  try {
    return watch(folder, { persistent: false }, onSign).on('error', () => {})
  } catch {
    return null
  }
}

/** All that is remembered of a text, which may be a secret. */
function digestOf(content: FileContent): string {
  return hash('sha256', JSON.stringify(content))
}

function scheduleTimer(run: () => void, ms: number): () => void {
  const timer = setTimeout(run, ms).unref()
  return () => clearTimeout(timer)
}
