import { memoryUsage } from 'node:process'

/** The resident set size of this process, in bytes; 0 when it cannot be read, because the process has too many open files. */
export function residentBytes(): number {
  try {
    return memoryUsage.rss()
  } catch {
    return 0
  }
}
