import fc from 'fast-check'
import t from 'tap'
import { instant } from '../../src/upstream/document/shape.ts'
import { holds } from './holds.ts'

const digits = (length: number) => fc.stringMatching(new RegExp(`^\\d{${length}}$`))
const pad = (number: number) => String(number).padStart(2, '0')
/** Some of these are a little out of range, and not times. */
const parts = fc.record({
  year: fc.oneof(fc.integer({ min: 0, max: 9999 }), fc.constantFrom(1900, 2000, 2024)),
  month: fc.integer({ min: 0, max: 13 }),
  day: fc.integer({ min: 0, max: 32 }),
  time: fc.oneof(
    fc.tuple(fc.integer({ min: 0, max: 25 }), fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 60 })),
    // Midnight as the end of a day is ISO 8601, but not RFC 3339. The next one is a leap second.
    fc.constantFrom<[number, number, number]>([24, 0, 0], [23, 59, 60], [23, 59, 59], [0, 0, 0]),
  ),
  fraction: fc.oneof(fc.constant(''), fc.integer({ min: 1, max: 9 }).chain(digits)),
  offset: fc.tuple(fc.constantFrom('+', '-'), fc.integer({ min: 0, max: 24 }), fc.integer({ min: 0, max: 60 })),
  separator: fc.constantFrom('T', 't', ' '),
  zulu: fc.option(fc.constantFrom('Z', 'z')),
})

t.test('every time of RFC 3339 is read, and nothing else', async (t) => {
  const property = fc.property(parts, ({ year, month, day, time, fraction, offset, separator, zulu }) => {
    const [hours, minutes, seconds] = time
    const [sign, offsetHours, offsetMinutes] = offset
    const zone = zulu ?? `${sign}${pad(offsetHours)}:${pad(offsetMinutes)}`
    const date = `${String(year).padStart(4, '0')}-${pad(month)}-${pad(day)}`
    const text = `${date}${separator}${time.map(pad).join(':')}${fraction && `.${fraction}`}${zone}`

    const offsetMs = zulu === null ? (sign === '-' ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * 60_000 : 0
    const utc = new Date(0)
    utc.setUTCFullYear(year, month - 1, day)
    const isDay = utc.getUTCMonth() === month - 1 && utc.getUTCDate() === day
    const isTime =
      hours < 24 && minutes < 60 && seconds < 60 && (zulu !== null || (offsetHours < 24 && offsetMinutes < 60))
    utc.setUTCHours(hours, minutes, seconds, Number(fraction.padEnd(3, '0').slice(0, 3)))
    const ms = utc.getTime() - offsetMs
    const inFourDigits = new Date(ms).toISOString().length === 24

    return instant('')(text, () => {}) === (isDay && isTime && inFourDigits ? ms : null)
  })
  holds(t, property, { numRuns: 1000 })
})
