import t from 'tap'
import { createScrubber, type Scrubber } from '../../../src/presentation/redaction/scrubbing.ts'
import { addressesIn } from '../../../src/presentation/spellings/address-finder.ts'
import { plainest } from '../../../src/presentation/spellings/fold.ts'
import { numbersIn } from '../../../src/presentation/spellings/phone-numbers.ts'
import { isLinear } from '../../harness/growth.ts'
import { checkRows, difference } from '../../harness/table.ts'

const phone = '+525512344433'
const email = 'maria.gonzalez+tienda@correo-ejemplo.mx'
/** A scrubber for what Hilos has as the number and the address of a contact. */
const scrubberFor = (numbers: string, addresses: string): Scrubber =>
  createScrubber({ numbers: numbersIn(numbers), addresses: addressesIn(addresses) })
const scrub = scrubberFor(phone, email)
const scrubberOf = (other: string) => scrubberFor(other, '')

/** A phone number, and spellings that are scrubbed as a whole for the contact who has it. */
const spellings: readonly (readonly [phone: string, ...spellings: readonly string[]])[] = [
  [phone, '+525512344433', '525512344433', '00525512344433', '011525512344433', '5512344433', '+5215512344433'],
  [phone, '5215512344433', '005215512344433', '0445512344433', '0455512344433', '015512344433', '05512344433'],
  [phone, '15512344433', '85512344433', '+52 55 1234 4433', '+52 1 55 1234 4433', '+52 (55) 1234-4433'],
  [phone, '+52-55-1234-4433', '(55) 1234 4433', '(55)12344433', '(+52) 55 1234 4433', '+(52) 55 1234 4433'],
  [phone, '+52 (1) 55 1234 4433', '55.1234.4433', '55/1234/4433', '55 12 34 44 33', '5 5 1 2 3 4 4 4 3 3'],
  [phone, '55\u00a01234\u00a04433', '55\u202f1234\u202f4433', '55\u20131234\u20114433', '55\u22121234\u22124433'],
  [phone, '55 - 1234 - 4433', '55·1234•4433', '55\t1234\n4433', '044 55 1234 4433', '045-55-1234-4433'],
  [phone, '01 (55) 1234 4433', '01-55-1234-4433', '8-55-1234-4433', '8 (55) 1234 4433', '1(55)1234 4433'],
  [phone, '+52 01 55 1234 4433', '+52 044 55 1234 4433', '+52 0 55 1234 4433', '00 52 55 1234 4433'],
  [phone, '011 52 1 55 1234 4433', '+00 52 55 1234 4433', '+5512344433', '+ 52 55 1234 4433'],
  [phone, '\u0665\u0665\u0661\u0662\u0663\u0664\u0664\u0664\u0663\u0663', '+\u06f5\u06f2 \u06f5\u06f51234 4433'],
  [phone, '\uff0b\uff15\uff12 \uff15\uff15\uff11\uff12\uff13\uff14 \uff14\uff14\uff13\uff13', '（55）1234\uff0d4433'],
  [phone, '55\u200b1234\u200d4433', '+\u202a52\u202c 55\u00ad1234\ufeff4433', '+52\u202c (\u202a55\u2069) 12344433'],
  // Keycap emojis.
  [phone, Array.from('5512344433').join('\ufe0f\u20e3')],
  // Any characters but letters can stand between the digits.
  [phone, '55,1234,4433', '55_1234_4433', '55       1234 4433', '55%221234%224433', '55\n\n1234;4433', '5|5|1234*4433'],
  [phone, '52+55+1234+4433', '%2B52+1+55+1234+4433', '55&nbsp;1234&#160;4433', '&plus;52&#x20;5512344433'],
  [phone, '%252B52%252055%252012344433', '\\u0035512344433', '55\\u00a01234\\n4433', '%D9%A5%D9%A512344433'],
  [phone, '𝟓𝟓𝟏𝟐𝟑𝟒𝟒𝟒𝟑𝟑', '५५१२३४४४३३', '⑤⑤1234④④③③', '55\u2800\u31641234\u034f4433'],
  [phone, String.raw`\u{35}%u00351234\\4433`, String.raw`55\-1234\-4433`, '❺➄1234➍④③⓷', '55‐1234‐4433'],
  [phone, '%2B525512344433', '%2b52%2055%201234%204433', '55%201234%204433', '+52 /(55).- 1234      4433'],
  ['5215512344433', '+525512344433', '5215512344433', '5512344433', '+52 1 55 1234 4433', '044 55 1234 4433'],
  ['52 1 (55) 1234-4433', '+525512344433', '5512344433', '+5215512344433'],
  ['00525512344433', '+525512344433', '5512344433', '005215512344433'],
  ['011 52 55 1234 4433', '+525512344433', '5512344433'],
  ['+52 01 55 1234 4433', '+525512344433', '+5215512344433', '5512344433'],
  ['whatsapp:+5215512344433', '+525512344433', '5512344433'],
  ['\uff0b\uff15\uff12\u0665\u06f51234 4433', '+525512344433', '5512344433'],
  // Without a country code, 55 can be the code of Brazil or a part of the number.
  [
    '5512344433',
    '5512344433',
    '+525512344433',
    '0052 55 1234 4433',
    '+52 1 55 1234 4433',
    '%2B525512344433',
    '12344433',
  ],
  ['044 55 1234 4433', '55 1234 4433', '+525512344433', '0445512344433', '011 52 5512344433'],
  ['01 55 1234 4433', '5512344433', '+52 55 1234 4433'],
  ['0171 1234567', '01711234567', '171 1234567', '+49 171 1234567', '0049-171-1234567'],
  ['+5491123456789', '+541123456789', '5491123456789', '1123456789', '91123456789', '01123456789', '9-11-2345-6789'],
  ['+541123456789', '+54 9 11 2345 6789', '9 (11) 2345 6789', '11 2345 6789'],
  ['+553187654321', '+5531987654321', '31 98765-4321', '(31) 8765-4321', '31 9 8765 4321', '031987654321'],
  ['+5531987654321', '+553187654321', '55 31 8765 4321', '31 98765 4321'],
  ['+12025550143', '(202) 555-0143', '1-202-555-0143', '+1 202 555 0143', '001 202 555 0143', '202.555.0143'],
  ['+79161234567', '8 (916) 123-45-67', '89161234567', '+7 916 123-45-67', '9161234567'],
  ['+442079460958', '+44 (0)20 7946 0958', '020 7946 0958', '0044 20 79460958', '20 7946 0958'],
  ['+44 (0)20 7946 0958', '+442079460958', '02079460958', '2079460958'],
  ['+390612345678', '06 12345678', '+39 06 1234 5678', '+39 6 1234 5678'],
  ['+351912345678', '912 345 678', '+351 912 345 678', '00351912345678'],
  ['+201012345678', '1012345678', '+20 10 12345678'],
  ['+989121234567', '9121234567', '0912 123 4567', '+98 912 1234567'],
  ['+551168765432', '11 96876-5432', '11 6876-5432', '+5511968765432'],
  ['020 7946 0958', '20 7946 0958', '+44 20 7946 0958', '02079460958'],
  ['0114512345678', '+4512345678', '12345678'],
  ['+500123456', '123456', '+500 123456'],
  ['+29022456', '+290 22456', '29022456', '00290-22456'],
  ['+500123', '500123', '+500 123'],
]

t.test('every usual spelling of the phone number is scrubbed, whatever text is around it', async (t) => {
  const texts = [
    ...['#', 'Mi número es #, gracias', 'tel:#.', 'https://wa.me/#?text=hola', 'x#x', '¿#?', '2 # 7', '(#)'],
    ...['\u202a#\u202c', 'es%20#%20', '{"phone":"#"}', '👋#👋', '\n#\n', '3:#;3', 'a (#) b', '*#*', '[#]'],
  ]
  const cases = spellings.flatMap(([own, ...others]) => {
    const scrubOwn = scrubberOf(own)
    return others.flatMap((spelling) => texts.map((text) => [own, scrubOwn, spelling, text] as const))
  })
  const check = ([, scrubOwn, spelling, text]: (typeof cases)[number]) =>
    difference(scrubOwn(text.replace('#', spelling)), text.replace('#', '[phone]'))
  checkRows(t, cases, check, 'every spelling in every text')
})

t.test('only the number itself is replaced', async (t) => {
  const digits = Array.from('0123456789').flatMap((digit) => [' ', '\u00a0', '  '].map((space) => digit + space))
  const cases: readonly (readonly [text: string, expected: string])[] = [
    // The number is there more than once.
    ['5512344433,5512344433 o +52 55 1234 4433', '[phone],[phone] o [phone]'],
    ['5512344433\n5512344433', '[phone]\n[phone]'],
    // A percent sign that begins no escape does not protect the number.
    ['100%5512344433 100%20 %5512344433', '100%[phone] 100%20 %[phone]'],
    // A single digit with only a space behind it is the number of a floor.
    ...digits.map((digit) => [`Piso ${digit}55 1234 4433`, `Piso ${digit}[phone]`] as const),
    // A parenthesis that is closed inside the number is a part of it.
    ['(55) 1234 4433', '[phone]'],
    ['((55) 1234 4433)', '([phone])'],
    ['(+52 (55) 1234 4433)', '([phone])'],
    ['(52) (1) (55) 1234 4433)', '[phone])'],
    ['(55 1234 4433)', '([phone])'],
    ['（55 1234 4433）', '（[phone]）'],
    ['(tel. 55 1234 4433)', '(tel. [phone])'],
    ['(55 1234 4433', '([phone]'],
    ['(55\n) 1234 4433', '[phone]'],
  ]
  checkRows(t, [...cases, ...cases], ([text, expected]) => difference(scrub(text), expected), 'every text, twice')
})

t.test('a number is scrubbed in all characters that stand for digits', async (t) => {
  const characters = Array.from({ length: 0x20000 }, (_, code) => String.fromCodePoint(code)).filter((character) =>
    /^[^\p{L}\d]*\d[^\p{L}]*$/u.test(plainest(character)),
  )
  t.ok(characters.length > 900, `${characters.length} characters`)
  const check = (character: string) => {
    const text = character.repeat(12 / plainest(character).replace(/\D/g, '').length)
    const number = plainest(text).replace(/\D/g, '')
    return difference(scrubberOf(`+52${number}`)(text).includes('[phone]'), true)
  }
  checkRows(t, characters, check, 'every character')
})

t.test('a number that differs by a digit or in length stays', async (t) => {
  const nearMisses = [
    ...['', ' ', '5512344434', '5512344432', '4512344433', '55123444', '551234443', '512344433', '12344433'],
    ...['1234 4433', '25512344433', '95512344433', '55123444330', '55123444331', '+5255123444331', '5555512344433'],
    ...['9525512344433', '+5255123444', '55 1234 44331', '255 1234 4433', '33445512344433', '5512344433\u0661'],
    ...['\uff115\uff15512344433', '55 1234', '4433', '****4433', '[phone]', '[email]'],
    ...['55 y 1234 y 4433', '55x1234x4433', '5.5.1.2.3.4.4.4.3'],
    ...['2026-11-22T10:00:01Z', '$5,512,344.43', 'MX-20931', '3344433215', '12:34:44.33', '((((', '+', '+52', '52 1'],
    ...['a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1', '044', '1234567890123456789012345678901234567890'],
    ...['+5255\u06f1234443', '\u2466512344433'],
  ]
  /** A phone number, and texts in which it is not. */
  const ofOthers = [
    // In São Paulo, a land line and the mobile number with a ninth digit more are two numbers.
    ['+551131234567', '11 93123 4567', '+5511931234567'],
    ['+525512344433', '+545512344433'],
    // Only a number of ten digits can have the optional digit.
    ['+5212345678', '+52345678'],
    ['+52123456789', '23456789'],
    ['+549123456789', '123456789'],
    // An international number has no other country code.
    ['+29022456', '+5229022456', '22456'],
    ['\uff0b29022456', '+5229022456'],
    ['+553187654321', '93187654321'],
    ['+5411234567890', '+541234567890'],
    ['+500123', '123'],
    ...['+50012', '12345', '', 'unknown', '+', '123456789012345678901'].map((own) => [own, own] as const),
    // In Buenos Aires, 011 is no exit prefix.
    ['01123456789', '23456789'],
  ] as const
  const pairs = ofOthers.flatMap(([own, ...texts]) => texts.map((text) => [own, text] as const))
  const cases = [...nearMisses.map((text) => [phone, text] as const), ...pairs]
  checkRows(t, cases, ([own, text]) => difference(scrubberOf(own)(text), text), 'every text')
  checkRows(t, nearMisses, (text) => difference(scrub(text), text), 'every text, when an address is looked for as well')
})

t.test('a number without a country code is scrubbed behind any code of up to three digits', async (t) => {
  const cases = [
    ['+1 5512344433', '[phone]'],
    ['+52 5512344433', '[phone]'],
    ['+354 5512344433', '[phone]'],
    ['+1234 5512344433', '+1234 [phone]'],
    ['52 5512344433', '52 [phone]'],
    ['525512344433', '[phone]'],
    ['5215512344433', '[phone]'],
    ['wa.me/5215512344433', 'wa.me/[phone]'],
    ['00525512344433', '[phone]'],
  ] as const
  checkRows(t, cases, ([text, expected]) => difference(scrubberOf('55 1234 4433')(text), expected), 'every code')
})

t.test('a number without a country code is scrubbed in all forms of the countries in which it may be', async (t) => {
  const [sao, baires] = ['551187654321@c.us 551187654321 +55 11 8765-4321', 'wa.me/5491123456789 54 11 2345-6789']
  const cases: readonly (readonly [own: string, text: string, expected: string])[] = [
    ...['(11) 98765-4321', '11987654321', '011987654321'].map(
      (own) => [own, sao, '[phone]@c.us [phone] [phone]'] as const,
    ),
    ...['11 15-2345-6789', '011 15-2345-6789'].map((own) => [own, baires, 'wa.me/[phone] [phone]'] as const),
    ['02966 15 123456', '+54 9 2966 12-3456', '[phone]'],
    ['0712345678', '22512345678', '[phone]'],
    ['11987654321', '551187654322 491187654321', '551187654322 491187654321'],
  ]
  checkRows(t, cases, ([own, text, expected]) => difference(scrubberOf(own)(text), expected), 'every number')
})

t.test('the decimals that a spreadsheet puts behind a number are no digits of it', async (t) => {
  for (const own of ['525512344433.0', '+525512344433.00 '])
    t.equal(scrubberOf(own)('wa.me/525512344433 5512344433'), 'wa.me/[phone] [phone]', own)
})

t.test(
  'letters and marks that make a line separate digits, and all parts of the last digit are replaced',
  async (t) => {
    const texts = [
      '55\u30fc1234\u30fc4433',
      '55\uff701234\uff704433',
      '55\u06401234\u06404433',
      '55\u02bc1234\u02bc4433',
    ]
    const others = ['55&nbsp1234&nbsp4433', '\u2464\u2464\u2488\u2489\u248a\u248b\u248b\u248b\u248a\u248a']
    checkRows(t, [...texts, ...others], (text) => difference(scrub(`a ${text} b`), 'a [phone] b'), 'every text')
  },
)

t.test('the end of a time, a date or a price before the number stays', async (t) => {
  const texts = ['22 10:05 #', '2026-11-01 #', '10:00 +52 #', '$15.00 +52#', '10:00 (#)']
  const check = (text: string) =>
    difference(scrub(text.replace('#', '5512344433')), text.replace(/(?:\+52 ?)?#/, '[phone]'))
  checkRows(t, texts, check, 'every text')
})

t.test('a phone number has 6 to 20 digits', async (t) => {
  const lengths = Array.from({ length: 22 }, (_, length) => length)
  const check = (length: (typeof lengths)[number]) => {
    const own = '987654321098765432109'.slice(0, length)
    const isNumber = length >= 6 && length <= 20
    return difference(scrubberOf(own)(`x ${own} y`), isNumber ? 'x [phone] y' : `x ${own} y`)
  }
  checkRows(t, lengths, check, 'every length')
})

t.test('a country code has one, two or three digits', async (t) => {
  const twoDigits =
    '20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 ' +
    '60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98'
  const numbers = Array.from({ length: 900 }, (_, index) => String(100 + index))
  // A leading 0, 1 or 8 of the national number can be a trunk prefix, so these numbers prove nothing.
  const cases = numbers.filter((number) => !/[018]/.test(number.slice(1)))
  const check = (number: (typeof cases)[number]) => {
    const length = /^[17]/.test(number) ? 1 : twoDigits.split(' ').includes(number.slice(0, 2)) ? 2 : 3
    const own = `+${number}2345678`
    const scrubOwn = scrubberOf(own)
    const nationals = [1, 2, 3].filter((digits) => scrubOwn(`x${own.slice(1 + digits)}x`) === 'x[phone]x')
    return difference(nationals, [length])
  }
  checkRows(t, cases, check, 'every code')
})

t.test('every spelling of the e-mail address is scrubbed, and no other address', async (t) => {
  const cases: readonly (readonly [text: string, expected: string])[] = [
    [email, '[email]'],
    [email.toUpperCase(), '[email]'],
    ['Maria.Gonzalez+Tienda@Correo-Ejemplo.MX', '[email]'],
    [`escribe a ${email}.`, 'escribe a [email].'],
    [`<mailto:${email}?subject=x>`, '<mailto:[email]?subject=x>'],
    [email.replace('@', '%40'), '[email]'],
    [`?e=${encodeURIComponent(email)}&x`, '?e=[email]&x'],
    [email.replace('+', '%2b'), '[email]'],
    [email.replace('@', String.raw`\@`).replaceAll('.', String.raw`\.`), '[email]'],
    [email.replace('-', '\u2010'), '[email]'],
    [email.replace('-', '\u2212'), '[email]'],
    [`x${email}x`, 'x[email]x'],
    [`2${email}.com`, '2[email].com'],
    [`${email}${email}`, '[email][email]'],
    [`${email}, 5512344433`, '[email], [phone]'],
  ]
  checkRows(t, cases, ([text, expected]) => difference(scrub(text), expected), 'every text')
  const others = [
    ...['maria-gonzalez+tienda@correo-ejemplo.mx', 'maria.gonzalezz+tienda@correo-ejemplo.mx'],
    ...['maria.gonzalez@correo-ejemplo.mx', 'maria.gonzalez+tienda@correo-ejemplo.com', 'maria.gonzalez+tienda'],
    ...['maria.gonzalez+tienda@correo.ejemplo.mx', '@correo-ejemplo.mx'],
  ]
  checkRows(t, others, (text) => difference(scrub(text), text), 'every other address')
})

t.test('an e-mail address is found with any characters, and with or without accents', async (t) => {
  const special = Array.from('!#$%&\'*+-/=?^_`{|}~.[]()\\"', (character) => {
    const own = `a${character}b@c.mx`
    return [own, `x ${own} acb@c.mx ab@c.mx`, 'x [email] acb@c.mx ab@c.mx'] as const
  })
  const forms = ['NFC', 'NFD'] as const
  const accented = forms.flatMap((ownForm) => {
    const own = 'josé@correo.mx'.normalize(ownForm)
    const found = forms.map((form) => [own, 'a JOSÉ@correo.mx b'.normalize(form), 'a [email] b'] as const)
    return [...found, [own, 'jose@correo.mx', '[email]'] as const]
  })
  const long = `${'x'.repeat(64)}@${'y'.repeat(255)}`
  /** What Hilos has as the address, a text, and the scrubbed text. */
  const given = [
    [' maria@x.mx ', 'a maria@x.mx b', 'a [email] b'],
    ['a+b+c@x.mx', 'a%2Bb%2Bc@x.mx', '[email]'],
    ['María <maria@x.mx>', 'María maria@x.mx', 'María [email]'],
    ['mailto:maria@x.mx', 'maria@x.mx', '[email]'],
    ['MAILTO:maria@x.mx?subject=a', 'maria@x.mx', '[email]'],
    ['es:maria@x.mx', 'maria@x.mx', '[email]'],
    ['maria_g@x.mx', String.raw`maria\_g@x.mx`, '[email]'],
    ['maria@x.mx; m@y.mx,n@z.mx', 'maria@x.mx m@y.mx n@z.mx', '[email] [email] [email]'],
    ['a@b', 'a@b', '[email]'],
    ['', 'a', 'a'],
    [long, long, '[email]'],
    ...['@', 'a@', '@b'].map((own) => [own, 'a@b', 'a@b'] as const),
    ...['n/a', '-'].map((own) => [own, own, own] as const),
    ['test@example.com', 'test @example.com test@ example.com', '[email] [email]'],
    ['test@example.com', 'test\n@example.com test@\texample.com', '[email] [email]'],
    ['test@example.com', 'te\u00adst@example.com ｔｅｓｔ@example.com', '[email] [email]'],
    [
      'test@example.com',
      'test@example\u3002com test@example\uff0ecom test@example\uff61com',
      '[email] [email] [email]',
    ],
    ...['"test"@#', '*test*@#', '(test)@#'].map(
      (text) => ['test@example.com', `a ${text.replace('#', 'example[.]com')}`, `a ${text.charAt(0)}[email]`] as const,
    ),
    ["o'brien@x.mx", 'o\u2019brien@x.mx', '[email]'],
    ['test@example.com', 'test&#64;example.com test%2540example.com', '[email] [email]'],
    // The longest address of several that end in the same way.
    ['ana@x.mx, mariana@y.mx', 'mariana@x.mx mariana@y.mx', 'mari[email] [email]'],
  ] as const
  const cases = [...special, ...accented, ...given]
  const check = ([own, text, expected]: (typeof cases)[number]) => difference(scrubberFor('', own)(text), expected)
  checkRows(t, cases, check, 'every address')
})

t.test('an address that contains the number is one address', async (t) => {
  const both = scrubberFor(phone, '5512344433@correo.mx')
  t.equal(both('5512344433@correo.mx 5512344433 5512344433@otro.mx'), '[email] [phone] [phone]@otro.mx')
})

t.test('the ids of WhatsApp are replaced, whatever number is in them', async (t) => {
  const ids = [
    ...[
      'wamid.HBgNNTIxNTUxMjM0NDQzMxUCABIYFDNB',
      'HBgNNTIxNTUxMjMxUCABIYFDNB',
      'ABGGUhVRIRDPwIKOrRDZjYrknw==',
      'wamid.x',
    ],
    ...[
      'gBEGUhVRIRDPwIKOrRDZjYrknw==',
      'gBGHUhVRIRDPwIKOrRDZjYrknw=',
      'true_5215598765432@c.us_3EB0',
      '184069530861739@lid',
      'wamid%2EHBgNx',
    ],
  ]
  checkRows(t, ids, (id) => difference(scrub(`ver ${id} x`), 'ver [id] x'), 'every id')
})

t.test('without a number and an address, a scrubber changes nothing', async (t) => {
  const idle = scrubberFor('', '')
  for (const text of ['', `${phone} ${email}`, '[phone]']) t.equal(idle(text), text)
})

t.test('scrubbing takes time in proportion to the length of the text', async (t) => {
  // A scrubber looks through the texts of one document.
  const hostile = (text: string) => scrubberFor(phone, `${'a'.repeat(64)}@x.mx`)(text)
  const units = [
    ...['5 ', '5', '(', '+', '+(', '0', '0 ', '00 ', '1 ', '52 ', '52 1 ', '5 5 1 2 3 4 4 4 3 ', '0052044551234443 '],
    ...['55 1234 443 ', '%2B', '%20', '%205', '5%20', ' ', '\u200b', '5\u200b', '1      ', 'a', 'a@', '@', '044'],
  ]
  const check = (unit: (typeof units)[number]) => {
    const text = (length: number) => unit.repeat(length / unit.length)
    if (!isLinear((length) => hostile(text(length)), 10_000)) return 'takes longer'
    return difference(hostile(text(10_000)), text(10_000))
  }
  checkRows(t, units, check, 'every repeated text')
})
