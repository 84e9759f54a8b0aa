import { hash } from 'node:crypto'
import { type FSWatcher, watch as watchWithNode } from 'node:fs'
import { dirname } from 'node:path'
import { type FileContent, type FileReading, inTime, readBoundedFile, tooLate } from '../common/bounded-file.ts'
import { type Cancel, type Clock, systemClock } from '../common/clock.ts'

export interface WatchedFileOptions {
  /** A larger file is a problem. */
  readonly maxBytes: number
  /** The text that is in use, which is not reported; by default there is none, and no problem is reported at first. */
  readonly known?: string | undefined
  readonly clock?: Pick<Clock, 'schedule'>
  /** `watch` of Node.js by default. */
  readonly watch?: Watch
  /** `readBoundedFile` by default. */
  readonly read?: (path: string, maxBytes: number) => Promise<FileReading>
}

/** How long after the first event the file is read, and how long after that again. */
const settleMs = 300
/** How often the file is read without an event. */
const pollMs = 10_000

type Watch = (folder: string, options: { readonly persistent: false }, onEvent: () => void) => FSWatcher

/**
 * Calls `onChange` each time the content of a file differs from before, or the file can no longer be read, and two readings
 * in a row agree about it. So a file that is being written is not reported.
 *
 * A mounted secret changes when a link beside the file or above it is replaced, so the folder is watched. Bind mounts and
 * network file systems send no events, so the file is also read at intervals. Each interval starts a new watch, because
 * the folder of that name may be another one by then.
 * @param path links in it are followed at each reading
 */
export function watchFile(path: string, onChange: (content: FileContent) => void, options: WatchedFileOptions) {
  const { maxBytes, known, clock = systemClock, watch = watchWithNode, read = readBoundedFile } = options
  let lastDigest = known === undefined ? undefined : digestOf({ text: known })
  /** Of the reading before, if it differed. */
  let newDigest: string | undefined
  let watcher: FSWatcher | null = null
  let cancelLook: Cancel | null = null
  let cancelPoll: Cancel
  let reading: Promise<FileReading> | null = null
  let looking: Promise<boolean> | null = null
  let isClosed = false

  /** Reads the file, and returns whether it answered in time. Further calls in the meantime get the same answer. */
  function look(): Promise<boolean> {
    looking ??= lookOnce().finally(() => {
      looking = null
    })
    return looking
  }

  async function lookOnce(): Promise<boolean> {
    // A reading that hangs takes a thread, so there is never a second one.
    reading ??= read(path, maxBytes).finally(() => {
      reading = null
    })
    const { content } = await inTime(reading, clock)
    if (!isClosed) compare(content)
    return content !== tooLate.content
  }

  function compare(content: FileContent): void {
    const digest = digestOf(content)
    if ('problem' in content) lastDigest ??= digest
    if (digest === lastDigest) newDigest = undefined
    else if (digest === newDigest) {
      lastDigest = digest
      onChange(content)
    } else {
      newDigest = digest
      lookSoon()
    }
  }

  /** Further events do not delay the look, so a folder that always changes is read as well. */
  function lookSoon(): void {
    cancelLook ??= clock.schedule(() => {
      cancelLook = null
      void look()
    }, settleMs)
  }

  async function poll(): Promise<void> {
    cancelPoll = clock.schedule(() => void poll(), pollMs)
    // To watch a folder of a mount that does not answer would block the event loop.
    if (!(await look()) || isClosed) return
    watcher?.close()
    watcher = startWatching(dirname(path), watch, lookSoon)
    // The file may have changed before the watch began.
    lookSoon()
  }

  void poll()
  return {
    close: () => {
      isClosed = true
      cancelPoll()
      cancelLook?.()
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
