import t from 'tap'
import { fail, findingOf, hasNoFailure, jsonOf, note, ok, textOf, warn } from '../../src/doctor/findings.ts'

const fine = ok('HOST', 'Fine.')
const known = note('CORS_ORIGINS', 'Known.')
const risky = warn('X', 'Risky.')
const broken = fail('Hilos', 'Broken.')

t.test('the text has one line per finding, in columns, and a summary', async (t) => {
  t.strictSame(textOf([fine, known, risky, broken]).split('\n'), [
    'ok    HOST          Fine.',
    'note  CORS_ORIGINS  Known.',
    'warn  X             Risky.',
    'fail  Hilos         Broken.',
    '',
    '1 warning, 1 failed',
    '',
  ])
})

t.test('the summary counts warnings and failures', async (t) => {
  for (const [findings, summary] of [
    [[], 'no warnings, nothing failed'],
    [[fine, known], 'no warnings, nothing failed'],
    [[risky], '1 warning, nothing failed'],
    [[risky, fine, risky], '2 warnings, nothing failed'],
    [[broken, broken], 'no warnings, 2 failed'],
  ] as const)
    t.equal(textOf(findings).trimEnd().split('\n').at(-1), summary)
})

t.test('the JSON is one object, which is ok unless a finding is a failure', async (t) => {
  t.strictSame(JSON.parse(jsonOf([fine, risky])), { ok: true, findings: [fine, risky] })
  t.strictSame(JSON.parse(jsonOf([broken])), { ok: false, findings: [broken] })
  t.ok(hasNoFailure([fine, known, risky]))
  t.notOk(hasNoFailure([fine, broken]))
})

t.test('the subject of a sentence about a setting is the setting', async (t) => {
  t.strictSame(findingOf('fail', 'PORT: must be a number'), fail('PORT', 'Must be a number.'))
  t.strictSame(findingOf('warn', 'CONTACT_REF_KEY is not set'), warn('CONTACT_REF_KEY', 'CONTACT_REF_KEY is not set.'))
  t.strictSame(findingOf('warn', 'something else'), warn('settings', 'Something else.'))
})
