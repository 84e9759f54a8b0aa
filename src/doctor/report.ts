import type { Finding, Level } from './findings.ts'

/** Whether all that was looked at works. */
export function isWell(findings: readonly Finding[]): boolean {
  return count(findings, 'fail') === 0
}

/** For people: a finding a line in columns, and a summary. */
export function textOf(findings: readonly Finding[]): string {
  const width = Math.max(0, ...findings.map(({ subject }) => subject.length))
  const lines = findings.map(
    ({ level, subject, message }) => `${level.padEnd(4)}  ${subject.padEnd(width)}  ${message}`,
  )
  return `${[...lines, '', summaryOf(findings)].join('\n')}\n`
}

/** For machines: one object. */
export function jsonOf(findings: readonly Finding[]): string {
  return `${JSON.stringify({ ok: isWell(findings), findings }, null, 2)}\n`
}

function summaryOf(findings: readonly Finding[]): string {
  const [warnings, failed] = [count(findings, 'warn'), count(findings, 'fail')]
  return `${warnings || 'no'} ${warnings === 1 ? 'warning' : 'warnings'}, ${failed || 'nothing'} failed`
}

function count(findings: readonly Finding[], level: Level): number {
  return findings.filter((finding) => finding.level === level).length
}
