/**
 * This is loaded before every test file (see `.taprc`). A failed comparison of two long texts shows the first lines that
 * differ instead of all lines: for two tables of 5,000 rows each, tap alone needs half a minute and prints 25,000 lines.
 */
import { Diff } from 'diff'

const linesBefore = 5
const linesAfter = 60

const diffOfAll = Diff.prototype.diff

// biome-ignore lint/suspicious/noExplicitAny: the types of the library are not stricter
Diff.prototype.diff = function (this: typeof Diff.prototype, wanted: any, found: any, options?: any): any {
  if (typeof wanted !== 'string' || typeof found !== 'string') return diffOfAll.call(this, wanted, found, options)
  const foundLines = found.split('\n')
  const first = wanted.split('\n').findIndex((line, index) => line !== foundLines[index])
  return diffOfAll.call(this, excerpt(wanted, first), excerpt(found, first), options)
}

/**
 * Returns the lines around one line.
 * @param first the index of the first line that differs; -1 when the other text only has more lines
 */
function excerpt(text: string, first: number): string {
  const lines = text.split('\n')
  const around = first < 0 ? lines.length : first
  const shown = lines.slice(Math.max(0, around - linesBefore), around + linesAfter)
  return around + linesAfter < lines.length ? `${shown.join('\n')}\n…\n` : shown.join('\n')
}
