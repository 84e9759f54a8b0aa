/** Finds many strings of digits at once, in one pass over the digits of a text: the algorithm of Aho and Corasick. */
export interface DigitAutomaton {
  /** The state after a digit, at ten times the state before it plus the digit. The first state is 0. */
  readonly transitions: Int32Array
  /** For each state, the indexes of the patterns that end in it, the longest first. */
  readonly patternsAt: readonly (readonly number[])[]
}

/** @param patterns strings of the digits 0 to 9; it takes time in proportion to their total length */
export function createDigitAutomaton(patterns: readonly string[]): DigitAutomaton {
  const states = 1 + patterns.reduce((sum, { length }) => sum + length, 0)
  const transitions = new Int32Array(states * 10).fill(none)
  const patternsAt: number[][] = Array.from({ length: states }, () => [])
  let used = 1
  for (const [index, pattern] of patterns.entries()) {
    let state = 0
    for (const digit of pattern) {
      const at = state * 10 + Number(digit)
      if (transitions[at] === none) {
        transitions[at] = used
        used += 1
      }
      state = transitions[at] as number
    }
    patternsAt[state]?.push(index)
  }

  // Breadth first, so that the state to fall back to, which is for a shorter string, is complete before it is used.
  const fallbacks = new Int32Array(states)
  const queue = [0]
  for (const state of queue)
    for (let digit = 0; digit < 10; digit += 1) {
      const at = state * 10 + digit
      const fallback = state === 0 ? 0 : (transitions[(fallbacks[state] as number) * 10 + digit] as number)
      const target = transitions[at] as number
      if (target === none) transitions[at] = fallback
      else {
        fallbacks[target] = fallback
        patternsAt[target]?.push(...(patternsAt[fallback] as number[]))
        queue.push(target)
      }
    }
  return { transitions, patternsAt }
}

const none = -1
