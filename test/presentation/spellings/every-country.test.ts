import { createRequire } from 'node:module'
import { type CountryCode, getCountries, getExampleNumber, type PhoneNumber } from 'libphonenumber-js/max'
import t from 'tap'
import { createScrubber } from '../../../src/presentation/redaction/scrubbing.ts'
import { numbersIn } from '../../../src/presentation/spellings/phone-numbers.ts'
import { checkRows, difference } from '../../harness/table.ts'

const examples = createRequire(import.meta.url)('libphonenumber-js/examples.mobile.json')
const exampleOf = (country: CountryCode) => getExampleNumber(country, examples) as PhoneNumber

/** Where people dial from: each of these countries has an exit prefix of its own. */
const abroad: readonly CountryCode[] = ['US', 'DE', 'BR', 'AU', 'JP', 'RU', 'TH', 'KR']

/** Before it, people in Russia wait for a tone. A single digit before a space may be another number. */
const russianPrefix = /(?<=^a )8(?:~10)? (?=\[phone\])/

/** The number as this library, which does not know ours, writes it in each of its formats. */
function spellingsOf(number: PhoneNumber): string[] {
  const formats = (['E.164', 'INTERNATIONAL', 'NATIONAL', 'RFC3966'] as const).map((format) => number.format(format))
  const dialled = abroad.map((fromCountry) => number.format('IDD', { fromCountry }) ?? '')
  const digits = [number.nationalNumber, `${number.countryCallingCode}${number.nationalNumber}`]
  return [...new Set([...formats, ...dialled, ...digits])].filter((spelling) => spelling !== '')
}

t.test('the number of every country is found in every format that libphonenumber has for it', async (t) => {
  const countries = getCountries()
  t.ok(countries.length > 200, `${countries.length} countries`)
  const cases = countries.flatMap((country) => {
    const number = exampleOf(country)
    const known = [number.number, number.number.slice(1), number.formatInternational(), `whatsapp:${number.number}`]
    return known.flatMap((phone) => spellingsOf(number).map((spelling) => [country, phone, spelling] as const))
  })
  const check = ([, phone, spelling]: (typeof cases)[number]) => {
    const digits = spelling.replace(/\D/g, '')
    const scrubbed = createScrubber({ numbers: numbersIn(phone), addresses: [] })(`a ${spelling} b`)
    // Five digits without the calling code, as on some islands, could be any number.
    const expected = digits.length < 6 ? `a ${spelling} b` : `a ${spelling.startsWith('tel:') ? 'tel:' : ''}[phone] b`
    return difference(scrubbed.replace(russianPrefix, ''), expected)
  }
  checkRows(t, cases, check, 'every spelling')
})
