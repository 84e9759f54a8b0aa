import type { Logger } from 'pino'
import type { FileContent } from '../common/bounded-file.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { watchFile } from './watched-file.ts'

export interface FollowedFileOptions<T> {
  /** The setting that names the file, for the log. */
  readonly setting: string
  readonly path: string
  readonly maxBytes: number
  /** What it said when the settings were read; undefined when it said nothing of use. */
  readonly known: string | undefined
  /** Reads the whole text, or says what is wrong with it: a sentence each, without values. */
  readonly read: (text: string) => Reading<T>
  /** Uses what was read from now on. @returns what to say of it in the log, without values that must not be seen */
  readonly take: (value: T) => Readonly<Record<string, unknown>>
  /** Goes on without, where that is possible: then a file that says nothing of use is no problem. */
  readonly doWithout?: () => void
  readonly logger: Logger
  readonly metrics: Metrics
}

export type Reading<T> = { readonly value: T } | { readonly problems: readonly string[] }

export interface FollowedFile {
  readonly setting: string
  /** What is wrong with the file as it is now; empty when it is in use. */
  readonly problems: () => readonly string[]
  readonly close: () => void
}

/** Takes over a file, as a whole, whenever it changes. While it cannot be used, what was read before stays. */
export function followFile<T>(options: FollowedFileOptions<T>): FollowedFile {
  const { setting, path, maxBytes, known, read, take, doWithout, logger, metrics } = options
  let problems: readonly string[] = []

  function follow(content: FileContent): void {
    if ('problem' in content && doWithout) {
      doWithout()
      problems = []
      metrics.fileChanged(setting, 'used')
      logger.warn({ setting, problem: content.problem }, 'a changed file says nothing, and is done without')
      return
    }
    const reading = 'text' in content ? read(content.text) : { problems: [content.problem] }
    problems = 'problems' in reading ? reading.problems : []
    metrics.fileChanged(setting, 'value' in reading ? 'used' : 'refused')
    if ('value' in reading) logger.info({ setting, ...take(reading.value) }, 'a changed file is in use')
    else logger.error({ setting, problems }, 'a changed file cannot be used: what was read before stays')
  }

  const { close } = watchFile(path, follow, { maxBytes, ...(known !== undefined && { known: { text: known } }) })
  return { setting, problems: () => problems, close }
}
