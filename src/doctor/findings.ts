/** `ok` and `note` are information, `warn` is a risk, `fail` means that something does not work. */
export type Level = 'ok' | 'note' | 'warn' | 'fail'

/** One result of the doctor. */
export interface Finding {
  readonly level: Level
  /** A setting, or a part such as Hilos. */
  readonly subject: string
  /** One plain sentence without secrets. */
  readonly message: string
}

const finding = (level: Level) => (subject: string, message: string) => ({ level, subject, message }) satisfies Finding

export const ok = finding('ok')
export const note = finding('note')
export const warn = finding('warn')
export const fail = finding('fail')

/** Turns a problem or warning of the settings, "NAME: must be …" or "NAME is not set …", into a finding about that setting. */
export function findingOf(level: Level, text: string): Finding {
  const [, subject = 'settings', colon] = /^([A-Z][A-Z_]+)(: )?/.exec(text) ?? []
  const rest = colon === undefined ? text : text.slice(subject.length + colon.length)
  return { level, subject, message: `${rest.charAt(0).toUpperCase()}${rest.slice(1)}.` }
}

/** Whether everything that was checked works. */
export function hasNoFailure(findings: readonly Finding[]): boolean {
  return count(findings, 'fail') === 0
}

/** For people: one line per finding, in columns, and a summary. */
export function textOf(findings: readonly Finding[]): string {
  const width = Math.max(0, ...findings.map(({ subject }) => subject.length))
  const lines = findings.map(
    ({ level, subject, message }) => `${level.padEnd(4)}  ${subject.padEnd(width)}  ${message}`,
  )
  return `${[...lines, '', summaryOf(findings)].join('\n')}\n`
}

/** For machines: one object. */
export function jsonOf(findings: readonly Finding[]): string {
  return `${JSON.stringify({ ok: hasNoFailure(findings), findings }, null, 2)}\n`
}

function summaryOf(findings: readonly Finding[]): string {
  const [warnings, failed] = [count(findings, 'warn'), count(findings, 'fail')]
  return `${warnings || 'no'} ${warnings === 1 ? 'warning' : 'warnings'}, ${failed || 'nothing'} failed`
}

function count(findings: readonly Finding[], level: Level): number {
  return findings.filter((finding) => finding.level === level).length
}
