import t from 'tap'
import { parseCallers } from '../../src/access/callers-file.ts'
import { createKey, keyHash } from '../../src/access/keys.ts'
import { isLinear } from '../harness/growth.ts'
import { checkRows, difference } from '../harness/table.ts'

const [one, two, three, four] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64), 'd'.repeat(64)] as const
const flow = 'b2c0f1de-0000-4000-8000-00000000000a'
const good = { name: 'support-web', keySha256: one, profile: 'agent' }
const other = { ...good, keySha256: two }

function problemsOf(document: unknown): readonly string[] {
  const file = parseCallers(typeof document === 'string' ? document : JSON.stringify(document))
  return 'problems' in file ? file.problems : []
}
type Case = readonly [document: unknown, problems: readonly string[]]
const problemsIn = ([document, problems]: Case) => difference(problemsOf(document), problems)

t.test('a valid file gives its entries, with hashes and flows in lower case', async (t) => {
  const name = `Reports.2_x@example-${'z'.repeat(44)}`
  const callers = [
    { name: 'support-web', keySha256: one.toUpperCase(), profile: 'agent', flows: [flow.toUpperCase(), flow] },
    { name: 'support-web', keySha256: two, profile: 'agent', flows: [flow] },
    { name: 'a', keySha256: three, profile: 'full' },
    { name, keySha256: four, profile: 'viewer', flows: [] },
  ]
  t.strictSame(parseCallers(JSON.stringify({ callers })), {
    callers: [
      { name: 'support-web', keySha256: one, profile: 'agent', flows: new Set([flow]) },
      { name: 'support-web', keySha256: two, profile: 'agent', flows: new Set([flow]) },
      { name: 'a', keySha256: three, profile: 'full', flows: null },
      { name, keySha256: four, profile: 'viewer', flows: new Set() },
    ],
  })
  t.strictSame(parseCallers('{"callers": []}'), { callers: [] })
})

t.test('a text that is not JSON, or not an object with callers, is refused without a quotation', async (t) => {
  const notJson = 'the file: is not JSON'
  const texts: readonly (readonly [problem: string, ...documents: unknown[]])[] = [
    [notJson, '{"callers": [\n  {"name": secret-canary}', 'x (line 7 column 8)', ''],
    [`${notJson}, line 2 column 28`, '{"callers": [\n  {"name": "secret-canary" "x"}'],
    [`${notJson}, line 1 column 16`, '{"callers": [],}'],
    ['the file: must be an object', [], 'null', '"x"'],
    ['callers: must be an array', {}, { callers: { 0: good } }],
    ['the file: has an unknown property caller', { callers: [], caller: [] }],
    ['callers[0]: must be an object', { callers: ['hbff_'] }, { callers: [null] }, { callers: [[]] }],
  ]
  const cases = texts.flatMap(([problem, ...each]) => each.map((document) => [document, [problem]] as const))
  checkRows(t, cases, problemsIn, 'each text')
})

const nameProblem = 'callers[0].name: must be 1 to 64 letters, digits and . _ @ -'
const hashProblem = 'callers[0].keySha256: must be 64 hexadecimal digits'
const profileProblem = 'callers[0].profile: must be one of viewer, agent, full'
const flowsProblem =
  'callers[0].flows: must be an array of flow ids; without this property, the caller may see every flow'

t.test('a wrong part of an entry is named without its value', async (t) => {
  const seen = 'create a new key, because this one is no longer secret'
  const keyAsName = `callers[0].name: looks like a key, and names are logged: ${seen}`
  const keyAsHash = `callers[0].keySha256: looks like a key and must be its SHA-256 hash: ${seen}`
  const unknownProperty = 'callers[0]: has an unknown property'
  const parts: readonly (readonly [problem: string, part: string, values: readonly unknown[]])[] = [
    [nameProblem, 'name', [undefined, '', 7, 'x'.repeat(65), 'two words', 'line\n', 'María']],
    [keyAsName, 'name', [createKey(), `old.${createKey()}`]],
    [hashProblem, 'keySha256', [undefined, one.slice(1), `${one}a`, `${one.slice(1)}g`, [one]]],
    [keyAsHash, 'keySha256', [createKey(), `Bearer ${createKey()}`]],
    [profileProblem, 'profile', [undefined, 'admin', 'Agent', ['agent']]],
    [flowsProblem, 'flows', [null, flow, { 0: flow }]],
    ['callers[0].flows[1]: must be a UUID', 'flows', [[flow, 'secret-canary']]],
    ['callers[0].flows[0]: must be a UUID', 'flows', [[`${flow}0`], [`0${flow}`], [flow.replaceAll('-', '')], [null]]],
    [`${unknownProperty} flow`, 'flow', [[flow]]],
    [`${unknownProperty} a23456789012345678901234`, 'a23456789012345678901234', [1]],
    ...['secret canary', createKey(), 'hbff_secretcanary', one, 'a234567890123456789012345', '', '__proto__'].map(
      (name) => [unknownProperty, name, [1]] as const,
    ),
  ]
  const cases = parts.flatMap(([problem, part, values]) => values.map((value) => [part, value, problem] as const))
  const check = ([part, value, problem]: (typeof cases)[number]) => {
    const entry = Object.fromEntries([...Object.entries(good), [part, value]])
    return problemsIn([{ callers: [entry] }, [problem]])
  }
  checkRows(t, cases, check, 'each part')
})

t.test('all problems of a file are named', async (t) => {
  const anonymous = [one, two, three].map((keySha256) => ({ ...good, keySha256, name: '' }))
  const callers = Array.from({ length: 1001 }, (_, index) => ({
    ...good,
    name: `caller-${index}`,
    keySha256: keyHash(String(index)),
  }))
  const cases: readonly Case[] = [
    [
      { callers: [{ name: '', profile: 'x', flows: ['x', 'y'] }, 7], more: 1 },
      [
        'the file: has an unknown property more',
        nameProblem,
        hashProblem,
        profileProblem,
        'callers[0].flows[0]: must be a UUID',
        'callers[0].flows[1]: must be a UUID',
        'callers[1]: must be an object',
      ],
    ],
    [
      { callers: [other, good, { name: 'x', keySha256: one.toUpperCase(), profile: 'oops' }] },
      [profileProblem.replace('0', '2'), 'callers[2].keySha256: is the same as in callers[1]'],
    ],
    // Entries with wrong names are not taken for one caller.
    [{ callers: anonymous }, [0, 1, 2].map((index) => nameProblem.replace('0', String(index)))],
    [{ callers: callers.slice(1) }, []],
    [{ callers }, ['callers: must not have more than 1000 entries']],
  ]
  checkRows(t, cases, problemsIn, 'each file')
})

t.test('at most two entries can have one name, and only with the same rights', async (t) => {
  const profile = 'callers[1].profile: must be as in callers[0], which has the same name'
  const flows = 'callers[1].flows: must be as in callers[0], which has the same name'
  const cases = [
    [good, other, []],
    [{ ...good, flows: [flow, one] }, { ...other, flows: [flow] }, ['callers[0].flows[1]: must be a UUID']],
    [{ ...good, profile: 'full' }, other, [profile]],
    [{ ...good, profile: 'oops' }, other, [profileProblem]],
    [good, { ...other, profile: 'oops' }, [profileProblem.replace('0', '1')]],
    [good, { ...other, flows: 'oops' }, [flowsProblem.replace('0', '1')]],
    [good, { ...other, flows: [] }, [flows]],
    [{ ...good, flows: [flow] }, other, [flows]],
    [{ ...good, flows: [flow] }, { ...other, flows: [] }, [flows]],
    [{ ...good, flows: [] }, { ...other, flows: [flow] }, [flows]],
    [{ ...good, flows: [flow] }, { ...other, flows: [flow.replace('a', 'b')] }, [flows]],
    [{ ...good, flows: [flow] }, { ...other, flows: [flow.toUpperCase()] }, []],
    [{ ...good, profile: 'full', flows: [] }, other, [profile, flows]],
    [{ ...good, profile: 'full' }, { ...other, name: 'other' }, []],
  ] as const
  checkRows(t, cases, ([first, second, problems]) => problemsIn([{ callers: [first, second] }, problems]), 'each pair')
  const namesakes = [one, two, three, four].map((keySha256) => ({ ...good, keySha256 }))
  t.strictSame(problemsOf({ callers: [{ ...good, name: 'x', keySha256: keyHash('x') }, ...namesakes] }), [
    'callers[3].name: is already the name of 2 entries, the first is callers[1]',
    'callers[4].name: is already the name of 2 entries, the first is callers[1]',
  ])
})

t.test('a repeated property is refused with its place, because JSON.parse takes the last one', async (t) => {
  const entry = `"name": "a", "keySha256": "${one}", "profile": "viewer"`
  const cases: readonly Case[] = [
    [`{"callers": [\n  {${entry}, "profile": "full"}]}`, ['the file: has a property twice, line 2 column 119']],
    [`{"callers": [{${entry}, "pr\\u006ffile" : "full"}]}`, ['the file: has a property twice, line 1 column 130']],
    [`{"callers": [], "callers"\n: []}`, ['the file: has a property twice, line 1 column 17']],
    [`{"callers": [{}], "callers": []}`, ['the file: has a property twice, line 1 column 19']],
    [`{"callers": [{"name": "name", ${entry.slice(13)}}]}`, []],
    [
      '{"x": {"\\"}": 1, "\\"}": "{"}, "y": [{}, {"a": 1}, {"a": 1}], "callers": []}',
      [
        'the file: has a property twice, line 1 column 18',
        'the file: has an unknown property x',
        'the file: has an unknown property y',
      ],
    ],
  ]
  checkRows(t, cases, problemsIn, 'each text')
})

t.test('a file of rubbish is refused in few words, and in time in proportion to its length', async (t) => {
  const cases: readonly ((bytes: number) => string)[] = [
    (bytes) => `{${'"a":1,'.repeat(bytes / 6 - 2)}"a":1}`,
    (bytes) => `{"callers":[${'1,'.repeat(bytes / 2 - 10)}1]}`,
    (bytes) => `{"callers":[{"flows":[${'1,'.repeat(bytes / 2 - 20)}1]}]}`,
  ]
  const check = (rubbish: (typeof cases)[number]) => {
    const problems = problemsOf(rubbish(1024 * 1024))
    const isShort = problems.length > 0 && problems.length <= 101 && problems.join().length < 10_000
    return difference([isShort, isLinear((bytes) => parseCallers(rubbish(bytes)), 50_000)], [true, true])
  }
  checkRows(t, cases, check, 'each kind of rubbish')
})
