/**
 * Parses JSON that people write by hand. Problems are reported without the message of the parser, because it quotes the
 * text. Returns undefined when the text is not JSON.
 */
export function parseJson(text: string, report: (problem: string) => undefined): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const place = / \(line (\d+) column (\d+)\)$/.exec((error as SyntaxError).message)
    return report(place ? `is not JSON, line ${place[1]} column ${place[2]}` : 'is not JSON')
  }
  for (const offset of firstRepeatedNames(text)) report(`has a property twice, ${placeOf(text, offset)}`)
  return value
}

/** The search for the place of each one reads the text from its beginning. */
const mostRepeated = 20

/** Matches property names, other strings, and the beginnings and ends of objects in valid JSON. */
const tokens = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}]/g

/**
 * Yields the offsets at which an object repeats a property name. JSON.parse uses the last one without an error, but a
 * person may read only the first one.
 */
function* firstRepeatedNames(text: string): Generator<number> {
  let repeated = 0
  const openObjects: number[] = []
  const seen = new Set<string>()
  for (const { 0: token, 1: name = '', 2: colon, index } of text.matchAll(tokens)) {
    if (token === '{') openObjects.push(index)
    else if (token === '}') openObjects.pop()
    else if (colon !== undefined) {
      // Parsed, because "a" and "\u0061" are the same name.
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
