import t from 'tap'
import { createScrubber } from '../../../src/presentation/redaction/scrubbing.ts'

const phone = '+525512344433'
const email = 'maria.gonzalez+tienda@correo-ejemplo.mx'
const scrub = createScrubber({ phone, email })
const scrubberOf = (other: string) => createScrubber({ phone: other, email: null })

/** Each of these is `[phone]` and nothing else, for whoever has the first number. */
const spellings: readonly (readonly [phone: string, ...spellings: readonly string[]])[] = [
  [
    phone,
    ...['+525512344433', '525512344433', '00525512344433', '011525512344433', '5512344433', '+5215512344433'],
    ...['5215512344433', '005215512344433', '0445512344433', '0455512344433', '015512344433', '05512344433'],
    ...[
      '15512344433',
      '85512344433',
      '+52 55 1234 4433',
      '+52 1 55 1234 4433',
      '+52 (55) 1234-4433',
      '+52-55-1234-4433',
    ],
    ...['(55) 1234 4433', '(55)12344433', '(+52) 55 1234 4433', '+(52) 55 1234 4433', '+52 (1) 55 1234 4433'],
    ...['55.1234.4433', '55/1234/4433', '55 12 34 44 33', '5 5 1 2 3 4 4 4 3 3', '55\u00a01234\u00a04433'],
    ...[
      '55\u202f1234\u202f4433',
      '55\u20131234\u20114433',
      '55\u22121234\u22124433',
      '55 - 1234 - 4433',
      '55·1234•4433',
    ],
    ...[
      '55\t1234\n4433',
      '044 55 1234 4433',
      '045-55-1234-4433',
      '01 (55) 1234 4433',
      '01-55-1234-4433',
      '8-55-1234-4433',
    ],
    ...['8 (55) 1234 4433', '1(55)1234 4433', '+52 01 55 1234 4433', '+52 044 55 1234 4433', '+52 0 55 1234 4433'],
    ...['00 52 55 1234 4433', '011 52 1 55 1234 4433', '+00 52 55 1234 4433', '+5512344433', '+ 52 55 1234 4433'],
    ...['\u0665\u0665\u0661\u0662\u0663\u0664\u0664\u0664\u0663\u0663', '+\u06f5\u06f2 \u06f5\u06f51234 4433'],
    ...['\uff0b\uff15\uff12 \uff15\uff15\uff11\uff12\uff13\uff14 \uff14\uff14\uff13\uff13', '（55）1234\uff0d4433'],
    ...['55\u200b1234\u200d4433', '+\u202a52\u202c 55\u00ad1234\ufeff4433', '+52\u202c (\u202a55\u2069) 12344433'],
    ...[
      '5\ufe0f\u20e35\ufe0f\u20e31\ufe0f\u20e32\ufe0f\u20e33\ufe0f\u20e34\ufe0f\u20e34\ufe0f\u20e34\ufe0f\u20e33\ufe0f\u20e33',
    ],
    ...['%2B525512344433', '%2b52%2055%201234%204433', '55%201234%204433', '+52 /(55).- 1234      4433'],
  ],
  ['5215512344433', '+525512344433', '5215512344433', '5512344433', '+52 1 55 1234 4433', '044 55 1234 4433'],
  ['52 1 (55) 1234-4433', '+525512344433', '5512344433', '+5215512344433'],
  ['00525512344433', '+525512344433', '5512344433', '005215512344433'],
  ['011 52 55 1234 4433', '+525512344433', '5512344433'],
  ['+52 01 55 1234 4433', '+525512344433', '+5215512344433', '5512344433'],
  ['whatsapp:+5215512344433', '+525512344433', '5512344433'],
  ['\uff0b\uff15\uff12\u0665\u06f51234 4433', '+525512344433', '5512344433'],
  // Without the country: 55 may be that of Brazil, or none.
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

t.test('a phone number, in each of its usual spellings, is scrubbed, whatever stands around it', async (t) => {
  const around = [
    ...[
      ['', ''],
      ['Mi número es ', ', gracias'],
      ['tel:', '.'],
      ['https://wa.me/', '?text=hola'],
      ['x', 'x'],
      ['¿', '?'],
    ],
    ...[
      ['2 ', ' 7'],
      ['(', ')'],
      ['\u202a', '\u202c'],
      ['es%20', '%20'],
      ['{"phone":"', '"}'],
      ['👋', '👋'],
      ['\n', '\n'],
    ],
    ...[
      ['3:', ';3'],
      ['a (', ') b'],
      ['*', '*'],
      ['[', ']'],
    ],
  ] as const
  for (const [own, ...others] of spellings) {
    const scrubOwn = scrubberOf(own)
    for (const spelling of others)
      for (const [before, after] of around)
        t.equal(scrubOwn(before + spelling + after), `${before}[phone]${after}`, `${own}: ${before}${spelling}${after}`)
  }
})

t.test('a percent sign, when it is no escape, protects no number', async (t) => {
  t.equal(scrub('100%5512344433 100%20 %5512344433'), '100%[phone] 100%20 %[phone]')
})

t.test('a phone number, when it is there more than once, is scrubbed each time, and again the next time', async (t) => {
  for (let time = 0; time < 2; time += 1) {
    t.equal(scrub('5512344433,5512344433 o +52 55 1234 4433'), '[phone],[phone] o [phone]')
    t.equal(scrub('5512344433\n5512344433'), '[phone]\n[phone]')
  }
})

t.test('a single digit, when only a space is between it and the number, stays', async (t) => {
  for (const digit of '0123456789')
    for (const space of [' ', '\u00a0', '  '])
      t.equal(scrub(`Piso ${digit}${space}55 1234 4433`), `Piso ${digit}${space}[phone]`)
})

t.test('a parenthesis, when it is closed inside the number, goes with it, and else stays', async (t) => {
  const table = [
    ['(55) 1234 4433', '[phone]'],
    ['((55) 1234 4433)', '([phone])'],
    ['(+52 (55) 1234 4433)', '([phone])'],
    ['(52) (1) (55) 1234 4433)', '[phone])'],
    ['(55 1234 4433)', '([phone])'],
    ['（55 1234 4433）', '（[phone]）'],
    ['(tel. 55 1234 4433)', '(tel. [phone])'],
    ['(55 1234 4433', '([phone]'],
    ['(55\n) 1234 4433', '[phone]'],
  ] as const
  for (const [text, expected] of table) t.equal(scrub(text), expected)
})

t.test('what is not quite the number, by a digit or in length, stays as it is', async (t) => {
  const nearMisses = [
    ...[
      '',
      ' ',
      '5512344434',
      '5512344432',
      '4512344433',
      '55123444',
      '551234443',
      '512344433',
      '12344433',
      '1234 4433',
    ],
    ...['25512344433', '95512344433', '55123444330', '55123444331', '+5255123444331', '5555512344433', '9525512344433'],
    ...[
      '+5255123444',
      '55 1234 44331',
      '255 1234 4433',
      '33445512344433',
      '5512344433\u0661',
      '\uff115\uff15512344433',
    ],
    ...['55 1234', '4433', '****4433', '[phone]', '[email]', '55,1234,4433', '55 y 1234 y 4433', '55_1234_4433'],
    ...['55       1234 4433', '55x1234x4433', '5.5.1.2.3.4.4.4.3', '2026-11-22T10:00:01Z', '$5,512,344.43', 'MX-20931'],
    ...['3344433215', '12:34:44.33', 'a3ff7ee5-0c11-49e2-a0d6-7e316626f7b1', '((((', '+', '+52', '52 1', '044'],
    ...['1234567890123456789012345678901234567890', '55%221234%224433', '+5255\u06f1234443', '\u2466512344433'],
  ]
  for (const text of nearMisses) t.equal(scrub(text), text, JSON.stringify(text))
  const ofOthers = [
    // A land line of São Paulo and the mobile number that differs by the ninth digit are two.
    ['+551131234567', '11 93123 4567'],
    ['+551131234567', '+5511931234567'],
    ['+525512344433', '+545512344433'],
    // Neither a digit less nor a digit more than ten has the one digit more.
    ['+5212345678', '+52345678'],
    ['+52123456789', '23456789'],
    ['+549123456789', '123456789'],
    // What is international has no other country code.
    ['+29022456', '+5229022456'],
    ['\uff0b29022456', '+5229022456'],
    ['12025550143', '+5212025550143'],
    ['+553187654321', '93187654321'],
    ['+5411234567890', '+541234567890'],
    ['+29022456', '22456'],
    ['+500123', '123'],
    ['+50012', '+50012'],
    ['12345', '12345'],
    ['', ''],
    ['unknown', 'unknown'],
    ['+', '+'],
    ['123456789012345678901', '123456789012345678901'],
    // In Buenos Aires, 011 leaves no country.
    ['01123456789', '23456789'],
    ['5512344433', '525512344433'],
  ] as const
  for (const [own, text] of ofOthers) t.equal(scrubberOf(own)(text), text, `${text} for ${own}`)
})

t.test(
  'a country code, when an own number lacks it, is what a plus or an exit prefix says, of up to three digits',
  async (t) => {
    const table = [
      ['+1 5512344433', '[phone]'],
      ['+52 5512344433', '[phone]'],
      ['+354 5512344433', '[phone]'],
      ['+1234 5512344433', '+1234 [phone]'],
      ['52 5512344433', '52 [phone]'],
      ['00525512344433', '[phone]'],
    ] as const
    for (const [text, expected] of table) t.equal(scrubberOf('55 1234 4433')(text), expected, text)
  },
)

t.test('a phone number, by how many digits it has, is one from 6 to 20', async (t) => {
  const digits = '987654321098765432109'
  for (let length = 0; length <= 21; length += 1) {
    const own = digits.slice(0, length)
    t.equal(scrubberOf(own)(`x ${own} y`), length >= 6 && length <= 20 ? 'x [phone] y' : `x ${own} y`, `${length}`)
  }
})

t.test('a country code, of one, two or three digits, is known from the number', async (t) => {
  const twoDigits = [
    ...[20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58],
    ...[60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98],
  ]
  for (let number = 100; number <= 999; number += 1) {
    const [one, two] = [Math.floor(number / 100), Math.floor(number / 10)]
    const length = one === 1 || one === 7 ? 1 : twoDigits.includes(two) ? 2 : 3
    const own = `+${number}2345678`
    const scrubOwn = scrubberOf(own)
    const nationals = [1, 2, 3].map((digits) => scrubOwn(`x${own.slice(1 + digits)}x`) === 'x[phone]x')
    // A leading 0 or 1 of the national number may be a trunk prefix; those numbers show nothing.
    if (/[018]/.test(own.slice(2, 4))) continue
    t.strictSame(nationals, [length === 1, length === 2, length === 3], own)
  }
})

t.test('an e-mail address, wherever and however it is written, is scrubbed', async (t) => {
  const table: readonly (readonly [text: string, expected: string])[] = [
    [email, '[email]'],
    [email.toUpperCase(), '[email]'],
    ['Maria.Gonzalez+Tienda@Correo-Ejemplo.MX', '[email]'],
    [`escribe a ${email}.`, 'escribe a [email].'],
    [`<mailto:${email}?subject=x>`, '<mailto:[email]?subject=x>'],
    [email.replace('@', '%40'), '[email]'],
    [`?e=${encodeURIComponent(email)}&x`, '?e=[email]&x'],
    [email.replace('+', '%2b'), '[email]'],
    [`x${email}x`, 'x[email]x'],
    [`2${email}.com`, '2[email].com'],
    [`${email}${email}`, '[email][email]'],
    [`${email}, 5512344433`, '[email], [phone]'],
    ['maria-gonzalez+tienda@correo-ejemplo.mx', 'maria-gonzalez+tienda@correo-ejemplo.mx'],
    ['maria.gonzalezz+tienda@correo-ejemplo.mx', 'maria.gonzalezz+tienda@correo-ejemplo.mx'],
    ['maria.gonzalez@correo-ejemplo.mx', 'maria.gonzalez@correo-ejemplo.mx'],
    ['maria.gonzalez+tienda@correo-ejemplo.com', 'maria.gonzalez+tienda@correo-ejemplo.com'],
    ['maria.gonzalez+tienda@correo.ejemplo.mx', 'maria.gonzalez+tienda@correo.ejemplo.mx'],
    ['maria.gonzalez+tienda', 'maria.gonzalez+tienda'],
    ['@correo-ejemplo.mx', '@correo-ejemplo.mx'],
  ]
  for (const [text, expected] of table) t.equal(scrub(text), expected, text)
})

t.test('an e-mail address, with whatever characters a pattern takes for its own, is found as it is', async (t) => {
  for (const character of '!#$%&\'*+-/=?^_`{|}~.[]()\\"') {
    const own = `a${character}b@c.mx`
    t.equal(createScrubber({ phone: null, email: own })(`x ${own} acb@c.mx ab@c.mx`), 'x [email] acb@c.mx ab@c.mx', own)
  }
})

t.test('an e-mail address, with accents as one character or as two, is found in either form', async (t) => {
  for (const own of ['josé@correo.mx'.normalize('NFC'), 'josé@correo.mx'.normalize('NFD')]) {
    const scrubOwn = createScrubber({ phone: null, email: own })
    for (const form of ['NFC', 'NFD']) t.equal(scrubOwn(`a JOSÉ@correo.mx b`.normalize(form)), 'a [email] b')
    t.equal(scrubOwn('jose@correo.mx'), 'jose@correo.mx')
  }
})

t.test('an e-mail address, by what Hilos has in its place, is each address in it and nothing else', async (t) => {
  const long = `${'x'.repeat(64)}@${'y'.repeat(255)}`
  const table = [
    [' maria@x.mx ', 'a maria@x.mx b', 'a [email] b'],
    ['a+b+c@x.mx', 'a%2Bb%2Bc@x.mx', '[email]'],
    ['María <maria@x.mx>', 'María maria@x.mx', 'María [email]'],
    ['maria@x.mx; m@y.mx,n@z.mx', 'maria@x.mx m@y.mx n@z.mx', '[email] [email] [email]'],
    ['a@b', 'a@b', '[email]'],
    ['', 'a', 'a'],
    ['n/a', 'n/a', 'n/a'],
    ['@', 'a@b', 'a@b'],
    ['a@', 'a@b', 'a@b'],
    ['@b', 'a@b', 'a@b'],
    ['-', '-', '-'],
    [long, long, '[email]'],
    [`x${long}`, `x${long}`, `x${long}`],
    [`${long}y`, `${long}y`, `${long}y`],
  ] as const
  for (const [own, text, expected] of table)
    t.equal(createScrubber({ phone: null, email: own })(text), expected, own.slice(0, 40))
})

t.test('an address that has the number in it, is one address', async (t) => {
  const both = createScrubber({ phone, email: '5512344433@correo.mx' })
  t.equal(both('5512344433@correo.mx 5512344433 5512344433@otro.mx'), '[email] [phone] [phone]@otro.mx')
})

t.test('a scrubber, of a contact of whom nothing is known, changes nothing', async (t) => {
  const idle = createScrubber({ phone: null, email: null })
  for (const text of ['', `${phone} ${email}`, '[phone]']) t.equal(idle(text), text)
})

t.test('a hostile text, of whatever is repeated, costs time in proportion to its length', async (t) => {
  const hostile = createScrubber({ phone, email: `${'a'.repeat(64)}@x.mx` })
  const units = [
    ...['5 ', '5', '(', '+', '+(', '0', '0 ', '00 ', '1 ', '52 ', '52 1 ', '5 5 1 2 3 4 4 4 3 ', '0052044551234443 '],
    ...['55 1234 443 ', '%2B', '%20', '%205', '5%20', ' ', '\u200b', '5\u200b', '1      ', 'a', 'a@', '@', '044'],
  ]
  for (const unit of units) {
    const text = unit.repeat(5_000_000 / unit.length)
    const began = performance.now()
    t.equal(hostile(text).length, text.length)
    const ms = performance.now() - began
    t.ok(ms < 1500, `${JSON.stringify(unit)}: ${ms.toFixed()} ms`)
  }
})
