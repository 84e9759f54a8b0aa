import { Counter, Registry } from 'prom-client'

/** What is counted, a function for each event. */
export interface Metrics {
  /** Hilos refused a token; `code` says with what. */
  readonly tokenRefused: (code: string) => void
  /** A watched file changed, and its content is in use, or what was in use before still is. */
  readonly fileChanged: (setting: string, outcome: 'used' | 'refused') => void
  /** All of it in the text format of Prometheus. */
  readonly exposition: () => Promise<string>
  /** Media type of the exposition. */
  readonly contentType: string
}

/** Counters of one service, none of them shared with another in the same process. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const tokenRefusals = new Counter({
    name: 'hilos_bff_token_refusals_total',
    help: 'Calls whose token Hilos refused, by the code of the failure.',
    labelNames: ['code'],
    registers,
  })
  const fileChanges = new Counter({
    name: 'hilos_bff_file_changes_total',
    help: 'Changes of a watched file, by its setting and by whether the new content is used.',
    labelNames: ['setting', 'outcome'],
    registers,
  })
  return {
    tokenRefused: (code) => tokenRefusals.inc({ code }),
    fileChanged: (setting, outcome) => fileChanges.inc({ setting, outcome }),
    exposition: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
