/** `ok` and `note` are for the record, `warn` is worth a thought, `fail` means that something does not work. */
export type Level = 'ok' | 'note' | 'warn' | 'fail'

/** One thing the doctor has to say. */
export interface Finding {
  readonly level: Level
  /** A setting, or the part it is about. */
  readonly subject: string
  /** One plain sentence without secrets. */
  readonly message: string
}

const finding = (level: Level) => (subject: string, message: string) => ({ level, subject, message }) satisfies Finding

export const ok = finding('ok')
export const note = finding('note')
export const warn = finding('warn')
export const fail = finding('fail')

/** For a sentence of the form "NAME: must be …" or "NAME is not set …": the setting is the subject. */
export function findingOf(level: Level, text: string): Finding {
  const [, subject = 'settings', colon] = /^([A-Z][A-Z_]+)(: )?/.exec(text) ?? []
  const rest = colon === undefined ? text : text.slice(subject.length + colon.length)
  return { level, subject, message: `${rest.charAt(0).toUpperCase()}${rest.slice(1)}.` }
}
