import { hash } from 'node:crypto'
import { type FSWatcher, watch as watchWithNode } from 'node:fs'
import { dirname } from 'node:path'
import { type FileContent, readBoundedFile } from '../common/bounded-file.ts'
import { type Cancel, type Clock, systemClock } from '../common/clock.ts'

export interface WatchedFileOptions {
  /** A larger file is a problem. */
  readonly maxBytes: number
  /** The content that the caller already knows; the present content by default. */
  readonly known?: FileContent
  /** How long after the first event the file is read, so that several writes count as one change; 100 ms by default. */
  readonly settleMs?: number
  /** How often the file is read without an event; 10 s by default. */
  readonly pollMs?: number
  readonly clock?: Pick<Clock, 'schedule'>
  /** `watch` of Node.js by default. */
  readonly watch?: Watch
}

type Watch = (folder: string, options: { readonly persistent: false }, onEvent: () => void) => FSWatcher

/**
 * Calls `onChange` each time the content of a file differs from before, or the file can no longer be read.
 *
 * A mounted secret changes when a link beside the file or above it is replaced, so the folder is watched. Bind mounts and
 * network file systems send no events, so the file is also read at intervals. Each interval starts a new watch, because
 * the folder of that name may be another one by then.
 * @param path links in it are followed at each reading
 */
export function watchFile(path: string, onChange: (content: FileContent) => void, options: WatchedFileOptions) {
  const { maxBytes, settleMs = 100, pollMs = 10_000, clock = systemClock, watch = watchWithNode } = options
  let lastDigest = digestOf(options.known ?? readBoundedFile(path, maxBytes))
  let watcher: FSWatcher | null = null
  let cancelCheck: Cancel | null = null
  let cancelPoll = clock.schedule(poll, pollMs)

  function check(): void {
    cancelCheck = null
    const content = readBoundedFile(path, maxBytes)
    const digest = digestOf(content)
    if (digest === lastDigest) return
    lastDigest = digest
    onChange(content)
  }

  /** Further events do not delay the check, so a folder that always changes is read as well. */
  function checkSoon(): void {
    cancelCheck ??= clock.schedule(check, settleMs)
  }

  function rewatch(): void {
    watcher?.close()
    watcher = startWatching(dirname(path), watch, checkSoon)
    // The file may have changed before the watch began.
    checkSoon()
  }

  function poll(): void {
    cancelPoll = clock.schedule(poll, pollMs)
    rewatch()
  }

  rewatch()
  return {
    close: () => {
      cancelPoll()
      cancelCheck?.()
      watcher?.close()
    },
  }
}

/** Returns null when the folder cannot be watched. Then, and after an error, the file is only read at intervals. */
function startWatching(folder: string, watch: Watch, onEvent: () => void): FSWatcher | null {
  try {
    return watch(folder, { persistent: false }, onEvent).on('error', () => {})
  } catch {
    return null
  }
}

/** Only the digest is kept, because the content may be a secret. */
function digestOf(content: FileContent): string {
  return hash('sha256', JSON.stringify(content))
}
