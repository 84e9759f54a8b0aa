import type { Logger } from 'pino'
import { type FileContent, isAbsent } from '../common/bounded-file.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { watchFile } from './watched-file.ts'

export interface ReloadedFileOptions<T> {
  /** The name of the setting that holds the path, for the log. */
  readonly setting: string
  readonly path: string
  readonly maxBytes: number
  /** The text that was read at the start; undefined when there was none. */
  readonly known: string | undefined
  /** Parses the whole text, or says what is wrong with it, one sentence each, without values. */
  readonly parse: (text: string) => Parsed<T>
  /** Puts the value into use. Returns fields for the log, which hold no secret. */
  readonly use: (value: T) => Readonly<Record<string, unknown>>
  /** Continues without a value. With it, a file that is empty or missing is not a problem. */
  readonly useNone?: () => void
  readonly logger: Logger
  readonly metrics: Pick<Metrics, 'fileChanged'>
}

export type Parsed<T> = { readonly value: T } | { readonly problems: readonly string[] }

/** Reloads a file, as a whole, each time it changes. While it is invalid, the previous content stays in use. */
export function reloadFile<T>(options: ReloadedFileOptions<T>) {
  const { setting, path, maxBytes, known, parse, use, useNone, logger, metrics } = options
  let problems: readonly string[] = []

  function reload(content: FileContent): void {
    if (useNone && isAbsent(content)) {
      useNone()
      problems = []
      metrics.fileChanged(setting, 'used')
      logger.warn({ setting, problem: content.problem }, 'watched file is empty or missing, continuing without it')
      return
    }
    const parsed = 'text' in content ? parse(content.text) : { problems: [content.problem] }
    problems = 'problems' in parsed ? parsed.problems : []
    metrics.fileChanged(setting, 'value' in parsed ? 'used' : 'refused')
    if ('value' in parsed) logger.info({ setting, ...use(parsed.value) }, 'watched file reloaded')
    else logger.error({ setting, problems }, 'watched file is invalid, keeping the previous content')
  }

  const { close } = watchFile(path, reload, { maxBytes, known })
  return {
    setting,
    /** What is wrong with the present content; empty when it is in use. */
    problems: () => problems,
    close,
  }
}
