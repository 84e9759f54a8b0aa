import { closeSync, openSync, readSync } from 'node:fs'

/** The text of a file, or the problem with it as part of a sentence, without the path and the content. */
export type FileContent = { readonly text: string } | { readonly problem: string }

/**
 * Reads a file. Line breaks at its end, which editors add, are left out. An empty file is a problem.
 * @param maxBytes a larger file is a problem; no more than this and one byte is read
 */
export function readBoundedFile(path: string, maxBytes: number): FileContent {
  try {
    const bytes = firstBytes(path, maxBytes + 1)
    if (bytes.length > maxBytes) return { problem: `the file is larger than ${maxBytes} bytes` }
    const text = bytes.toString('utf8').replace(/[\r\n]+$/, '')
    return text === '' ? { problem: 'the file is empty' } : { text }
  } catch (error) {
    return { problem: `the file cannot be read (${(error as NodeJS.ErrnoException).code})` }
  }
}

function firstBytes(path: string, count: number): Buffer {
  const buffer = Buffer.alloc(count)
  const file = openSync(path, 'r')
  try {
    return buffer.subarray(0, readSync(file, buffer))
  } finally {
    closeSync(file)
  }
}
