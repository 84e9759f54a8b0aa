/**
 * Parses JSON that people write by hand. What is wrong is reported without a word of the text: the parser's own
 * message quotes it. Undefined when the text is not JSON.
 */
export function parseJson(text: string, report: (problem: string) => void): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const place = / \(line (\d+) column (\d+)\)$/.exec((error as SyntaxError).message)
    report(place ? `is not JSON, line ${place[1]} column ${place[2]}` : 'is not JSON')
    return undefined
  }
  for (const offset of firstRepeatedNames(text)) report(`has a property twice, ${placeOf(text, offset)}`)
  return value
}

/** To find the place of each one means to read the text from its beginning. */
const mostRepeated = 20

/** In valid JSON these are all the names, the other strings, and the ends of objects. */
const tokens = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}]/g

/**
 * Where an object has a name it has already. JSON.parse takes the last of them without a word, so the person who reads
 * the first believes something else than the program.
 */
function* firstRepeatedNames(text: string): Generator<number> {
  let repeated = 0
  const openObjects: number[] = []
  const seen = new Set<string>()
  for (const { 0: token, 1: name = '', 2: colon, index } of text.matchAll(tokens)) {
    if (token === '{') openObjects.push(index)
    else if (token === '}') openObjects.pop()
    else if (colon !== undefined) {
      // Parsed, because "a" and "\u0061" are one name.
      const inObject = `${openObjects.at(-1)} ${JSON.parse(name)}`
      if (seen.has(inObject)) {
        yield index
        repeated += 1
        if (repeated === mostRepeated) return
      }
      seen.add(inObject)
    }
  }
}

function placeOf(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n')
  return `line ${lines.length} column ${offset - text.lastIndexOf('\n', offset)}`
}
