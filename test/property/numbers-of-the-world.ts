import fc from 'fast-check'

/** How the people of a country write a number. It is written from the numbering plans of the countries, not from `src`. */
interface Country {
  readonly code: string
  /** The number as Hilos has it, without the calling code: the digits that it can begin with, and how many there are. */
  readonly first: string
  readonly length: number
  /** What is dialled before it at home. */
  readonly trunks: readonly string[]
  /** Further forms of the same number. */
  readonly others?: (national: string) => readonly string[]
  /** What WhatsApp has between the calling code and the number. */
  readonly mark?: string
}

const country = (
  code: string,
  first: string,
  length: number,
  trunks: readonly string[] = ['0'],
  more: Partial<Country> = {},
): Country => ({ code, first, length, trunks, ...more })

/** Of Argentina, with the 15 that a mobile number has at home behind its area code. */
const withFifteen = (area: number) => (national: string) => [`0${national.slice(0, area)}15${national.slice(area)}`]

export const countries: readonly Country[] = [
  country('52', '2-9', 10, ['01', '044', '045', ''], { mark: '1' }),
  country('54', '2', 10, ['0'], { mark: '9', others: withFifteen(3) }),
  country('54', '3', 10, ['0'], { mark: '9', others: withFifteen(4) }),
  country('55', '1-9', 11, ['0', '015', '021', '041'], {
    others: (national) => [`${national.slice(0, 2)}${national.slice(3)}`],
  }),
  country('57', '3', 10, ['', '03']),
  country('58', '4', 10),
  country('51', '9', 9),
  country('56', '9', 9, ['0', '']),
  country('593', '9', 9),
  country('598', '9', 8),
  country('595', '9', 9),
  country('591', '6-7', 8, ['0', '']),
  country('502', '3-5', 8, ['']),
  country('506', '6-8', 8, ['']),
  country('1', '2-9', 10, ['1', '']),
  country('53', '5', 8, ['0', '']),
  country('229', '4-9', 8, ['', '01'], { others: (national) => [`01${national}`] }),
  country('225', '0-9', 8, [''], {
    others: (national) => ['01', '05', '07', '27'].map((operator) => operator + national),
  }),
  country('36', '2-7', 9, ['06']),
  country('44', '7', 10, ['0']),
  country('49', '1', 10),
  country('33', '6-7', 9),
  country('34', '6-7', 9, ['']),
  country('39', '3', 10, ['']),
  country('351', '9', 9, ['']),
  country('31', '6', 9),
  country('41', '7', 9),
  country('48', '5-8', 9, ['']),
  country('7', '9', 10, ['8']),
  country('375', '2-4', 9, ['80']),
  country('380', '5-9', 9),
  country('90', '5', 10),
  country('91', '6-9', 10),
  country('92', '3', 10),
  country('62', '8', 10),
  country('63', '9', 10),
  country('81', '7-9', 10),
  country('82', '1', 10),
  country('61', '4', 9),
  country('27', '6-8', 9),
  country('234', '7-9', 10),
  country('254', '7', 9),
  country('20', '1', 10),
  country('966', '5', 9),
  country('971', '5', 9),
  country('972', '5', 9),
]

export interface PhoneNumber {
  /** As Hilos has it. */
  readonly phone: string
  readonly country: Country
  readonly national: string
}

export const phoneNumbers: fc.Arbitrary<PhoneNumber> = fc.constantFrom(...countries).chain((of) =>
  fc
    .tuple(
      fc.stringMatching(new RegExp(`^[${of.first}]\\d{${of.length - 1}}$`)).map((national) => ninth(of, national)),
      fc.constantFrom('+', '+', '', '00', 'tel:+', 'whatsapp:+'),
      fc.constantFrom('', of.mark ?? ''),
    )
    // A number such as 2000000000 is also in a UUID of zeros.
    .filter(([national]) => new Set(national.slice(-8)).size > 3)
    .map(([national, before, mark]) => ({ phone: before + of.code + mark + national, country: of, national })),
)

/** A mobile number of Brazil has a 9 behind the area code, and goes on with 6 to 9. */
const ninth = ({ code }: Country, national: string) =>
  code === '55'
    ? `${national.slice(0, 2).replace('0', '1')}9${'6789'.charAt(Number(national.charAt(3)) % 4)}${national.slice(4)}`
    : national

const separators = [
  ...[
    '',
    '',
    '',
    '',
    ' ',
    '-',
    '.',
    '/',
    '\u00a0',
    '\u202f',
    '\u2013',
    ') (',
    '\u200b',
    '\u00ad',
    '%20',
    '&nbsp;',
    '+',
    ', ',
  ],
  ...[
    '_',
    '         ',
    '\n',
    '·',
    '|',
    '*',
    '%C2%A0',
    '&#160;',
    '\u2060',
    '\u034f',
    '\u3164',
    '\u2800',
    '…',
    '🚚',
    '\\n',
  ],
] as const

const zeros = [0x30, 0x30, 0x30, 0x660, 0x6f0, 0x966, 0x9e6, 0xe50, 0xff10, 0x1d7ce, 0x1d7d8]
const writings: readonly ((digits: string) => string)[] = [
  (text) => text,
  (text) => text,
  (text) => encodeURIComponent(text),
  (text) => encodeURIComponent(encodeURIComponent(text)),
  (text) => Array.from(text, (character) => `&#${character.codePointAt(0)};`).join(''),
  // Not in escapes, which are no digits for people.
  (text) => (/[%&\\]/.test(text) ? text : text.replace(/\d/g, '$&\ufe0f\u20e3')),
  (text) => text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
]

/** The digits with separators between them, in a script, in an encoding. */
const spread = (text: string) =>
  fc
    .tuple(
      fc.constantFrom(...zeros),
      fc.array(fc.constantFrom(...separators), { minLength: text.length, maxLength: text.length }),
      fc.constantFrom(...writings),
    )
    .map(([zero, between, write]) =>
      write(
        Array.from(
          text,
          (digit, index) => String.fromCodePoint(zero + Number(digit)) + (between[index + 1] ?? ''),
        ).join(''),
      ),
    )

/** A spelling of the number, as people and programs write it. */
export function spellingsOf({ country: of, national }: PhoneNumber): fc.Arbitrary<string> {
  const forms = fc.constantFrom(national, ...(of.others?.(national) ?? []))
  const abroad = fc
    .tuple(
      fc.constantFrom('+', '', '+ ', '＋', '%2B', '&plus;'),
      fc.constantFrom('', '00', '011'),
      fc.constantFrom('', ' ', '-', '(0)', ' (0) '),
      fc.constantFrom('', of.mark ?? ''),
      spread(national),
    )
    .map(([plus, exit, trunk, mark, digits]) => `${plus}${exit}${of.code}${trunk}${mark}${digits}`)
  const atHome = fc
    .tuple(fc.constantFrom(...of.trunks), fc.constantFrom('', '-', '/'), forms.chain(spread))
    .map(([trunk, between, digits]) => (trunk === '' ? digits : trunk + between + digits))
  const inLinks = fc
    .tuple(
      fc.constantFrom('wa.me/#', 'https://wa.me/#?text=x', '#@s.whatsapp.net', '#@c.us', 'tel:+#', 'true_#@c.us_3EB0'),
      fc.constantFrom('', of.mark ?? ''),
    )
    .map(([link, mark]) => link.replace('#', `${of.code}${mark}${national}`))
  return fc.oneof(abroad, atHome, inLinks)
}

/** What all forms of the number have in common: the digits of which none may be left. */
export const coreOf = ({ country: of, national }: PhoneNumber): string =>
  of.code === '55' ? national.slice(3) : national.slice(-8)
