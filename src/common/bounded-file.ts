import { constants } from 'node:fs'
import { type FileHandle, lstat, open } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { type Clock, systemClock } from './clock.ts'

/** The text of a file, or the problem with it as part of a sentence, without the path and the content. */
export type FileContent = { readonly text: string } | { readonly problem: string }

/** The attributes of a file, after links are followed. */
export interface SeenFile {
  /** Permission bits. */
  readonly mode: number
  /** The number of the user that owns it; 0 is root. */
  readonly owner: number
  /** Whether the path itself is a link, as in a secret mounted by Kubernetes. */
  readonly isLink: boolean
  /** Whether it is a pipe, which can be read only once. */
  readonly isPipe: boolean
}

export interface FileReading {
  readonly content: FileContent
  /** Null when the file cannot be read. */
  readonly seen: SeenFile | null
}

const longestMs = 5000
/** A reading that has taken this long when the process ends is one that hangs. */
const longestAtExitMs = 500
/** What `inTime` resolves with for a reading that does not end. */
export const tooLate: FileReading = {
  content: { problem: `the file cannot be read within ${longestMs / 1000} seconds` },
  seen: null,
}

const notRegular = { problem: 'the file is not a regular file' }
const empty = { problem: 'the file is empty' }
const cannotRead = (code: unknown) => ({ problem: `the file cannot be read (${code})` })

/** Whether there is no such file. */
export function isMissing(content: FileContent): boolean {
  return 'problem' in content && content.problem === cannotRead('ENOENT').problem
}

/** Whether the file is missing or empty, as it is before a text is put there. */
export function isAbsent(content: FileContent): content is { readonly problem: string } {
  return isMissing(content) || ('problem' in content && content.problem === empty.problem)
}

/** The readings that have not ended, each with the time of its beginning. */
const running = new Set<{ readonly beganMs: number }>()

/** For the last handler of `exit`: the end of a process waits for its readings, and with one that hangs it never ends. */
export function killIfReadingHangs(
  process: Pick<NodeJS.Process, 'pid' | 'kill'>,
  { elapsed }: Pick<Clock, 'elapsed'> = systemClock,
): void {
  const isHanging = [...running].some(({ beganMs }) => elapsed() - beganMs > longestAtExitMs)
  if (isHanging) process.kill(process.pid, 'SIGKILL')
}

/**
 * Resolves with the reading, or with `tooLate` after five seconds. On a mount that does not answer the reading goes on then,
 * and takes one of the four threads for files and names.
 */
export async function inTime(reading: Promise<FileReading>, clock: Pick<Clock, 'schedule'> = systemClock) {
  const { promise, resolve } = Promise.withResolvers<FileReading>()
  const cancel = clock.schedule(() => resolve(tooLate), longestMs)
  return await Promise.race([reading, promise]).finally(cancel)
}

/**
 * Reads a file to its end without blocking the event loop. Line breaks at its end, which editors add, are left out. An empty
 * file is a problem, and so is one that is neither regular nor an accepted pipe.
 * @param maxBytes a larger file is a problem; no more than this and one byte is read
 * @param acceptsPipe whether a pipe is read as well, which waits for its writer; false by default
 */
export function readBoundedFile(path: string, maxBytes: number, acceptsPipe = false): Promise<FileReading> {
  const reading = { beganMs: systemClock.elapsed() }
  running.add(reading)
  return read(path, maxBytes, acceptsPipe)
    .catch(({ code }: NodeJS.ErrnoException) => ({ content: cannotRead(code), seen: null }))
    .finally(() => running.delete(reading))
}

async function read(path: string, maxBytes: number, acceptsPipe: boolean): Promise<FileReading> {
  const file = await open(path, acceptsPipe ? constants.O_RDONLY : constants.O_RDONLY | constants.O_NONBLOCK)
  return await readOpened(file, path, maxBytes, acceptsPipe).finally(() => file.close())
}

async function readOpened(
  file: FileHandle,
  path: string,
  maxBytes: number,
  acceptsPipe: boolean,
): Promise<FileReading> {
  const [stats, link] = [await file.stat(), await lstat(path)]
  const isPipe = stats.isFIFO()
  const seen = { mode: stats.mode & 0o777, owner: stats.uid, isLink: link.isSymbolicLink(), isPipe }
  if (!stats.isFile() && !(isPipe && acceptsPipe)) return { content: notRegular, seen }
  return { content: contentOf(await buffer(file.createReadStream({ end: maxBytes })), maxBytes), seen }
}

function contentOf(bytes: Buffer, maxBytes: number): FileContent {
  if (bytes.length > maxBytes) return { problem: `the file is larger than ${maxBytes} bytes` }
  const text = bytes.toString('utf8').replace(/[\r\n]+$/, '')
  return text === '' ? empty : { text }
}
