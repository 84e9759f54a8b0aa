import { decompositionOf, foldingOf, isDropped } from './characters.ts'
import { type Escape, isEscapeCharacter, readEscape } from './escapes.ts'

/** A text in a form in which it is searched, see `characters.ts`, and the way back. */
export interface Folded {
  readonly text: string
  /** Where the character that became the one at an index begins in the original; at the end of the text, its length. */
  readonly original: (index: number) => number
}

/** Escapes may be escaped again, for example when a URL contains another URL. */
const mostLevels = 3

/**
 * Folds a text in all ways in which it can be read: as it is, and with its escapes undone once or more often. The number in
 * `100%5512344433` is only in the first of them. It takes time in proportion to the length of the text.
 */
export function readingsOf(text: string): readonly Folded[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters of ASCII
  const isAscii = /^[\x00-\x7f]*$/.test(text)
  const asItIs = isAscii ? foldedAscii(text) : foldOnce(text, false)
  const readings: Folded[] = [asItIs]
  let outer: Folded = { text, original: (index) => index }
  for (let level = 0; level < mostLevels && /[%&\\]/.test(outer.text); level += 1) {
    const [{ original }, inner] = [outer, foldOnce(outer.text, true)]
    if (!inner.hadEscapes) break
    outer = { text: inner.text, original: (index) => original(inner.original(index)) }
    readings.push(outer)
  }
  return readings
}

function foldedAscii(text: string): Folded {
  return { text: text.toLowerCase().replace(/[\t-\r]/g, ' '), original: (index) => index }
}

/** A text folded and with all escapes undone. */
export const plainest = (text: string): string => (readingsOf(text).at(-1) as Folded).text

function foldOnce(text: string, undoesEscapes: boolean): Folded & { readonly hadEscapes: boolean } {
  let [units, starts] = [new Uint16Array(text.length + roomAtEnd), new Uint32Array(text.length + roomAtEnd)]
  let length = 0
  const found: Escape = { codePoint: 0, end: 0 }
  let hadEscapes = false
  let index = 0
  while (index < text.length) {
    const start = index
    let codePoint = text.charCodeAt(index)
    index += 1
    if (undoesEscapes && isEscapeCharacter(codePoint)) {
      if (readEscape(text, start, found)) {
        hadEscapes = true
        codePoint = found.codePoint
        index = found.end
      }
    } else if (codePoint >>> 10 === highSurrogate) {
      codePoint = text.codePointAt(start) as number
      if (codePoint > 0xffff) index += 1
    }
    if (length + roomAtEnd > units.length) [units, starts] = [grown(units), grown(starts)]
    const folding = foldingOf(codePoint)
    if (folding === isDropped) continue
    if (folding >= 0 && folding <= 0xffff) {
      units[length] = folding
      starts[length] = start
      length += 1
      continue
    }
    const characters = folding < 0 ? decompositionOf(folding) : String.fromCodePoint(folding)
    for (let each = 0; each < characters.length; each += 1) {
      units[length] = characters.charCodeAt(each)
      starts[length] = start
      length += 1
    }
  }
  starts[length] = text.length
  return {
    text: Buffer.from(units.buffer, 0, length * 2).toString('utf16le'),
    original: (at) => starts[at] as number,
    hadEscapes,
  }
}

const highSurrogate = 0xd800 >>> 10
/** Space for the longest decomposition, and for the length of the text. */
const roomAtEnd = 8

function grown<A extends Uint16Array | Uint32Array>(array: A): A {
  const larger = array instanceof Uint16Array ? new Uint16Array(array.length * 2) : new Uint32Array(array.length * 2)
  larger.set(array)
  return larger as A
}
