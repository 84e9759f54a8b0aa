import t from 'tap'
import { fail, findingOf, note, ok, warn } from '../../src/doctor/findings.ts'
import { isWell, jsonOf, textOf } from '../../src/doctor/report.ts'

const [fine, known, risky, broken] = [
  ok('HOST', 'Fine.'),
  note('CORS_ORIGINS', 'Known.'),
  warn('X', 'Risky.'),
  fail('Hilos', 'Broken.'),
]

t.test('a report for people, whatever was found, has a finding a line in columns and a summary', async (t) => {
  t.equal(
    textOf([fine, known, risky, broken]),
    [
      'ok    HOST          Fine.',
      'note  CORS_ORIGINS  Known.',
      'warn  X             Risky.',
      'fail  Hilos         Broken.',
      '',
      '1 warning, 1 failed\n',
    ].join('\n'),
  )
})

t.test('a summary, by what was found, says how many warnings there are and whether something failed', async (t) => {
  const table = [
    [[], 'no warnings, nothing failed'],
    [[fine, known], 'no warnings, nothing failed'],
    [[risky], '1 warning, nothing failed'],
    [[risky, fine, risky], '2 warnings, nothing failed'],
    [[broken, broken], 'no warnings, 2 failed'],
  ] as const
  for (const [findings, summary] of table) t.equal(textOf(findings).trimEnd().split('\n').at(-1), summary)
})

t.test('a report for machines, whatever was found, is one object, ok unless something failed', async (t) => {
  t.strictSame(JSON.parse(jsonOf([fine, risky])), { ok: true, findings: [fine, risky] })
  t.strictSame(JSON.parse(jsonOf([broken])), { ok: false, findings: [broken] })
  t.ok(isWell([fine, known, risky]))
  t.notOk(isWell([fine, broken]))
})

t.test('a sentence of the settings, as a finding, has the setting as its subject', async (t) => {
  t.strictSame(findingOf('fail', 'PORT: must be a number'), fail('PORT', 'Must be a number.'))
  t.strictSame(findingOf('warn', 'CONTACT_REF_KEY is not set'), warn('CONTACT_REF_KEY', 'CONTACT_REF_KEY is not set.'))
  t.strictSame(findingOf('warn', 'something else'), warn('settings', 'Something else.'))
})
