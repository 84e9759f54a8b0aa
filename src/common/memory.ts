import { memoryUsage } from 'node:process'

/** The resident set size of this process, in bytes. */
export const residentBytes: () => number = memoryUsage.rss
