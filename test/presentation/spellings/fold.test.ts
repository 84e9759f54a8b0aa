import t from 'tap'
import { plainest, readingsOf } from '../../../src/presentation/spellings/fold.ts'
import { isLinear } from '../../harness/growth.ts'
import { checkRows, difference } from '../../harness/table.ts'

t.test('a character becomes the plain one that means the same, and an invisible one is dropped', async (t) => {
  const cases: readonly (readonly [text: string, folded: string])[] = [
    ['Hola 123', 'hola 123'],
    ['a\tb\nc\rd', 'a b c d'],
    ['JOSÉ José Jose\u0301 İ', 'jose jose jose i'],
    ['ｔｅｓｔ＠ｅｘ．ｃｏｍ', 'test@ex.com'],
    ['①⑽½ ㎏', '1(10)1⁄2 kg'],
    ['⓿❶❾➁➌⓽🄋🄌❿', '01923900' + '10'],
    ['‐‑‒–—―−﹣－', '---------'],
    ['5️⃣', '5'],
    ['a\u00adb\u034fc\u2800d\u3164e\u200bf\ufeffg\u{e0041}h\u{e0100}i', 'abcdefghi'],
    ['\u00a0\u202f\u3000\n\t\u2028', '      '],
    // A phrase in one character, and characters outside the Basic Multilingual Plane.
    ['\ufdfa 🚚 𠮷 \u{2f800}', '\ufdfa 🚚 𠮷 \u{2f800}'],
    ['\ud800x', '\ud800x'],
    ['', ''],
  ]
  checkRows(t, cases, ([text, folded]) => difference(plainest(text), folded), 'every character')
})

t.test('a decimal digit of any script becomes the digit of its value', async (t) => {
  const digits = Array.from({ length: 0x20000 }, (_, code) => String.fromCodePoint(code)).filter((each) =>
    /\p{Nd}/u.test(each),
  )
  t.ok(digits.length >= 650, `${digits.length} digits`)
  // Unicode has them in rows of ten.
  const rows = Array.from({ length: digits.length / 10 }, (_, row) => digits.slice(row * 10, row * 10 + 10).join(''))
  checkRows(t, rows, (row) => difference(plainest(row), '0123456789'), 'every row')
})

t.test('escapes are undone, as often as they were made, up to three times', async (t) => {
  const cases: readonly (readonly [text: string, ...readings: readonly string[]])[] = [
    ['a%40b', 'a%40b', 'a@b'],
    ['%2B52%2055', '%2b52%2055', '+52 55'],
    ['%C3%A9%E2%82%AC%F0%9F%9A%9A', '%c3%a9%e2%82%ac%f0%9f%9a%9a', 'e€🚚'],
    // What is not UTF-8 stands for itself.
    ['%E9x%C3', '%e9x%c3', 'exa'],
    ['%FFx', '%ffx', 'yx'],
    ['%F4%BF%BF%BF', '%f4%bf%bf%bf', '\u{10ffff}'],
    ['100% %zz %5', '100% %zz %5'],
    ['a%2540b', 'a%2540b', 'a%40b', 'a@b'],
    ['a%25252540b', 'a%25252540b', 'a%252540b', 'a%2540b', 'a%40b'],
    ['a&#64;b&#x40;c&#X40 &commat;d&#0064e', 'a&#64;b&#x40;c&#x40 &commat;d&#0064e', 'a@b@c@ @d@e'],
    ['55&nbsp;12&#160;34&plus;', '55&nbsp;12&#160;34&plus;', '55 12 34+'],
    ['a&amp;#64;b', 'a&amp;#64;b', 'a&#64;b', 'a@b'],
    ['&unknown; &; &# &#x; &amp &#1114112;', '&unknown; &; &# &#x; &amp &#1114112;'],
    [String.raw`a\u0040b\x40c`, String.raw`a\u0040b\x40c`, 'a@b@c'],
    [String.raw`a\\u0040b`, String.raw`a\\u0040b`, 'a@b'],
    [
      String.raw`\ud83d\ude9a \\ud835\\udfdf \ud835x \ud835\u0041`,
      String.raw`\ud83d\ude9a \\ud835\\udfdf \ud835x \ud835\u0041`,
      '🚚 7 \ud835x \ud835a',
    ],
    [
      String.raw`\u{35}\\u{1F69A}\u{0}\u{}\u{110000}\u{35`,
      String.raw`\u{35}\\u{1f69a}\u{0}\u{}\u{110000}\u{35`,
      '5🚚\0\\u{}\\u{110000}\\u{35',
    ],
    ['%u0035%uD83D%uDE9A%u5%ud83dx', '%u0035%ud83d%ude9a%u5%ud83dx', '5🚚%u5\ud83dx'],
    // Markdown. A backslash before a letter stands for itself.
    [
      String.raw`a\_b\@x\.mx \\- \%40 c\d`,
      String.raw`a\_b\@x\.mx \\- \%40 c\d`,
      String.raw`a_b@x.mx - \@ c\d`,
      String.raw`a_b@x.mx - @ c\d`,
    ],
    [String.raw`55\n12\\t3\ru`, String.raw`55\n12\\t3\ru`, '55 12 3 u'],
  ]
  const check = ([text, ...readings]: (typeof cases)[number]) =>
    difference(
      readingsOf(text).map((reading) => reading.text),
      readings,
    )
  checkRows(t, cases, check, 'every text')
})

t.test('each folded character knows where it comes from', async (t) => {
  const cases: readonly (readonly [text: string, parts: readonly string[]])[] = [
    ['ab', ['a', 'b']],
    ['é\u00adx', ['é\u00ad', 'x']],
    ['a%40b', ['a', '%40', 'b']],
    ['%2540', ['%2540']],
    ['🚚5', ['', '🚚', '5']],
    ['⑽', ['', '', '', '⑽']],
  ]
  const check = ([text, parts]: (typeof cases)[number]) => {
    const reading = readingsOf(text).at(-1)
    const starts = Array.from({ length: (reading?.text.length ?? 0) + 1 }, (_, index) => reading?.original(index) ?? -1)
    return difference(
      starts.slice(1).map((end, index) => text.slice(starts[index], end)),
      parts,
    )
  }
  checkRows(t, cases, check, 'every text')
})

t.test('folding takes time in proportion to the length of the text', async (t) => {
  const units = [
    'a',
    'é',
    '漢',
    '🚚',
    '⑽',
    '%41',
    '%',
    '%25',
    '&#64;',
    '&amp;',
    '&',
    '\\',
    '\\u0041',
    '\\u{',
    '%u',
    '\\_',
    '\u200b',
  ]
  const check = (unit: string) =>
    isLinear((length) => readingsOf(unit.repeat(length / unit.length)), 20_000) ? null : 'takes longer'
  checkRows(t, units, check, 'every repeated text')
})
