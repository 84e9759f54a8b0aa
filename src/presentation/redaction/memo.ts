/** A shorter text takes less time than it takes to look it up. */
const usualLeastLength = 1000

/**
 * Remembers what a function makes of long texts: in a document, the same text stands in several places, for example as a
 * message and as an answer. What it remembers lives as long as the function.
 * @param leastLength what is made of shorter texts is not remembered
 */
export function createMemo<R>(map: (text: string) => R, leastLength = usualLeastLength): (text: string) => R {
  const known = new Map<string, R>()
  return (text) => {
    if (text.length < leastLength) return map(text)
    const result = known.has(text) ? (known.get(text) as R) : map(text)
    known.set(text, result)
    return result
  }
}
