import { isDigit, isLetter, isLowerCase } from './characters.ts'
import { createDigitAutomaton } from './digit-automaton.ts'
import { createPrefixCheck, longestPrefix } from './number-prefix.ts'
import { formsOfAll } from './phone-numbers.ts'

/** A part of a text. */
export interface Range {
  readonly start: number
  readonly end: number
}

/**
 * After so many, digits before a number are no longer looked at, so that a hostile document does not take longer: a number
 * is then also found at the end of a longer string of digits.
 */
const mostPrefixChecks = 20_000

/**
 * Returns a function that finds phone numbers in a folded text: in all their forms, with the prefixes that people and
 * programs put before them, and with any separators between the digits. A number is not a part of a longer string of
 * digits. Its time is in proportion to the length of the text.
 * @param numbers as `numbersIn` returns them
 */
export function createNumberFinder(numbers: readonly string[]): (text: string) => Range[] {
  const forms = formsOfAll(numbers)
  const { transitions, patternsAt } = createDigitAutomaton(forms.map(({ digits }) => digits))
  const patterns = forms.map((form) => ({ length: form.digits.length, mayPrecede: createPrefixCheck(form) }))
  const run = createRun()
  let prefixChecks = 0

  return (text) => {
    const found: Range[] = []
    let state = 0
    run.clear()
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index)
      if (isDigit(code)) {
        run.add(index)
        state = transitions[state * 10 + code - 0x30] as number
        const ending = patternsAt[state] as readonly number[]
        if (ending.length === 0) continue
        const range = firstOf(text, ending)
        if (range === null) continue
        found.push(range)
        run.clear()
        state = 0
      } else if (run.length() > 0 && endsRun(text, index, code)) {
        run.clear()
        state = 0
      }
    }
    return found
  }

  function firstOf(text: string, ending: readonly number[]): Range | null {
    for (const pattern of ending) {
      const range = rangeOf(text, patterns[pattern] as Pattern)
      if (range !== null) return range
    }
    return null
  }

  /** The number that ends with the run, if its last digits are these and it is not a part of a longer string of digits. */
  function rangeOf(text: string, pattern: Pattern): Range | null {
    const first = run.length() - pattern.length
    const end = run.at(run.length() - 1) + 1
    if (isDigit(text.charCodeAt(end))) return null
    const start = startOf(text, first, pattern, true) ?? startOf(text, first, pattern, false)
    return start === null ? null : { start: withSigns(text, start, end), end }
  }

  /**
   * Where the number begins with all digits before it that belong to it; null if it is a part of a longer string of digits.
   * @param isStrict whether the digits before it have to stand near it, and as people write them; otherwise, any digits that
   *   could be dialled before it belong to it
   */
  function startOf(text: string, first: number, { mayPrecede }: Pattern, isStrict: boolean): number | null {
    prefixChecks += 1
    if (first === 0 || prefixChecks > mostPrefixChecks) return run.at(first)
    const digitAt = (position: number) => text.charCodeAt(run.at(position)) - 0x30
    let position = first
    while (
      position > 0 &&
      first - position < longestPrefix &&
      (!isStrict || isTight(text, run.at(position - 1) + 1, run.at(position)))
    )
      position -= 1
    for (; position <= first; position += 1) {
      const at = run.at(position)
      const isPart = position > 0 && run.at(position - 1) === at - 1
      // Behind a percent sign, the first two digits may be an escape.
      const isEscape = position < first && text.charCodeAt(at - 1) === 0x25
      const isJoined = run.at(first) - at === first - position
      // The end of a time, a date or a price that stands before the number is no prefix.
      const isEnd = !isJoined && /\d\d[:.-]$/.test(text.slice(Math.max(0, at - 3), at))
      if (isPart || isEscape || isEnd) continue
      const isApart = position < first && isBlank(text, run.at(first - 1) + 1, run.at(first))
      const isInternational = !isStrict || isJoined || signBefore(text, at) !== at
      if (mayPrecede(digitAt, position, first, { isInternational, isApart })) return at
    }
    return null
  }
}

interface Pattern {
  /** How many digits it has. */
  readonly length: number
  readonly mayPrecede: ReturnType<typeof createPrefixCheck>
}

/** The indexes of the digits since the last letter. Only the last ones are kept, because a number is not longer. */
function createRun() {
  const kept = new Uint32Array(64)
  let length = 0
  return {
    length: () => length,
    at: (position: number) => kept[position % kept.length] as number,
    add: (index: number) => {
      kept[length % kept.length] = index
      length += 1
    },
    clear: () => {
      length = 0
    },
  }
}

function endsRun(text: string, index: number, code: number): boolean {
  return isLowerCase(code) || (code > 0x7f && isLetter(text.codePointAt(index) as number))
}

/** The most characters between the digits of a prefix, or between a plus and a digit. */
const widestGap = 6

/** Whether the characters between two digits let them belong to one number, and not to two in a sentence or a list. */
function isTight(text: string, start: number, end: number): boolean {
  if (end - start > widestGap) return false
  for (let index = start; index < end; index += 1) if (',;:|"\''.includes(text.charAt(index))) return false
  return true
}

function isBlank(text: string, start: number, end: number): boolean {
  for (let index = start; index < end; index += 1) if (text.charAt(index) !== ' ') return false
  return end > start
}

/** A plus before the number belongs to it, and an opening parenthesis that is closed inside it. */
function withSigns(text: string, first: number, end: number): number {
  const start = signBefore(text, first)
  return text.charAt(start - 1) === '(' && closes(text.slice(start, end)) ? start - 1 : start
}

/** The index of the plus before a digit; the index of the digit without one. */
function signBefore(text: string, digit: number): number {
  for (let index = digit - 1; index >= 0 && index >= digit - 1 - widestGap; index -= 1) {
    const code = text.charCodeAt(index)
    if (code === 0x2b) return index
    if (isDigit(code) || endsRun(text, index, code)) break
  }
  return digit
}

/** Whether more parentheses are closed than opened. */
const closes = (text: string) => text.split(')').length > text.split('(').length
