import { inspect, isDeepStrictEqual } from 'node:util'
import type { Test } from 'tap'

/** What is wrong with a row; null when the row is right. */
export type Wrong = string | null

/** How many wrong rows a failure shows. The others are only counted. */
const maxShown = 10

/**
 * Checks every row of a table and makes one assertion of it, however many rows there are. A failure shows the first wrong
 * rows and says how many there are in all. A check that throws makes its row wrong; a table without rows fails.
 *
 * checkRows(t, cases, ({ text, expected }) => difference(f(text), expected), 'every text is redacted')
 *
 * @param check returns what is wrong with a row, in a few words, or null
 */
export function checkRows<Row>(t: Test, rows: Iterable<Row>, check: (row: Row) => Wrong, message: string): void {
  const table = createTable<Row>()
  for (const row of rows) {
    try {
      table.add(row, check(row))
    } catch (error) {
      table.add(row, `throws ${show(error)}`)
    }
  }
  table.assert(t, message)
}

/** Does the same as `checkRows` for a check that has to wait. The rows are checked one after the other. */
export async function checkRowsInTurn<Row>(
  t: Test,
  rows: Iterable<Row>,
  check: (row: Row) => Promise<Wrong>,
  message: string,
): Promise<void> {
  const table = createTable<Row>()
  for (const row of rows) {
    try {
      table.add(row, await check(row))
    } catch (error) {
      table.add(row, `throws ${show(error)}`)
    }
  }
  table.assert(t, message)
}

/** Compares deeply and strictly. Returns null when both are the same, otherwise both in a short form. */
export function difference(found: unknown, wanted: unknown): Wrong {
  return isDeepStrictEqual(found, wanted) ? null : `found ${show(found)}, wanted ${show(wanted)}`
}

function createTable<Row>() {
  let [total, failed] = [0, 0]
  const shown: string[] = []
  return {
    add(row: Row, wrong: Wrong): void {
      total += 1
      if (wrong === null) return
      failed += 1
      if (failed <= maxShown) shown.push(`${show(row)}: ${wrong}`)
    },
    assert(t: Test, message: string): void {
      if (total === 0) t.fail(`${message}: the table has no rows`)
      else if (failed === 0) t.pass(message)
      else t.fail(`${message}: ${failed} of ${total} rows are wrong`, { wrongRows: shown })
    },
  }
}

/** The value on one line, cut short. */
function show(value: unknown): string {
  const text =
    value instanceof Error ? `${value.name}: ${value.message}` : inspect(value, { breakLength: Infinity, depth: 4 })
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
