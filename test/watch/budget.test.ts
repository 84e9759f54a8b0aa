import { readFileSync } from 'node:fs'
import t from 'tap'
import { arrange } from './rig.ts'

/** The wished intervals of the three columns, in seconds. */
const wishes = [3, 20, 60] as const
const budget = 2.5

/** The rows of the table in docs/live.md: how many keys of each wish, their proportion, and after how many seconds each is asked about. */
const rows = readFileSync(new URL('../../docs/live.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => /^\| \d+ \| \d+ \| \d+ \|/.test(line))
  .map((line) => line.split('|').slice(1, -1).map(Number.parseFloat))

/** The seconds between neighbours, of those that end after `from`. */
const waitsOf = (times: readonly number[], from: number) =>
  times.flatMap((at, index) => (index > 0 && at > from ? [at - (times[index - 1] as number)] : []))

t.ok(rows.length >= 5, 'the table is found')
for (const [moving = 0, quiet = 0, longQuiet = 0, wished, proportion = 0, ...everySeconds] of rows) {
  const counts = [moving, quiet, longQuiet]
  t.test(`${counts.join(', ')} watched keys are asked about as often as the documentation says`, async (t) => {
    const keys = wishes.flatMap((wish, column) =>
      Array.from({ length: counts[column] ?? 0 }, (_, index) => ({ key: `${wish} ${index}`, wish })),
    )
    const sum = keys.reduce((total, { wish }) => total + 1 / wish, 0)
    t.equal(Math.round(sum * 10) / 10, wished)
    t.equal(Math.round(Math.max(1, sum / budget) * 10) / 10, proportion)

    const { clock, watch, asked } = arrange({ outcomeOf: (key) => Number.parseInt(key, 10) * 1000, loadMs: () => 50 })
    for (const { key, wish } of keys) watch(key, wish * 1000)
    // They begin together, so at first the lateness of all swings.
    const roundSeconds = proportion * Math.max(...keys.map(({ wish }) => wish))
    await clock.advance(3.1 * roundSeconds * 1000)
    for (const [column, wish] of wishes.entries()) {
      const own = keys.filter((each) => each.wish === wish)
      if (own.length === 0) continue
      const waits = own.flatMap(({ key }) => waitsOf(asked(key), 2 * roundSeconds))
      const longest = [0, 2 * roundSeconds].map((from) =>
        Math.max(...own.flatMap(({ key }) => waitsOf([0, ...asked(key)], from))),
      )
      const mean = waits.reduce((total, each) => total + each, 0) / waits.length
      const wanted = everySeconds[column] ?? 0
      t.ok(Math.abs(mean / wanted - 1) < 0.08, `${wish} s become ${mean} on average, as documented ${wanted}`)
      t.ok(
        longest.every((each, index) => each < (index === 0 ? 1.5 : 1.2) * wanted + 1),
        `and ${longest} at most`,
      )
    }
  })
}
