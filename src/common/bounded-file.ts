import { closeSync, openSync, readSync } from 'node:fs'

/** What a small file says, or why it cannot be used: the end of a sentence that names neither path nor content. */
export type FileContent = { readonly text: string } | { readonly problem: string }

/**
 * Reads a file, without the line breaks that editors leave at its end.
 * @param maxBytes a larger one is a problem, and is not read any further
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
