import t from 'tap'
import { readCallers } from '../../src/access/callers-file.ts'
import { createKey, keyHash } from '../../src/access/keys.ts'

const [one, two, three] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string]
const flow = 'b2c0f1de-0000-4000-8000-00000000000a'
const good = { name: 'support-web', keySha256: one, profile: 'agent' }

function problemsOf(document: unknown): readonly string[] {
  const text = typeof document === 'string' ? document : JSON.stringify(document)
  const read = readCallers(text)
  return 'problems' in read ? read.problems : []
}

t.test('a callers’ file, when all is well, gives its entries, hashes and flows in lower case', async (t) => {
  const callers = [
    { name: 'support-web', keySha256: one.toUpperCase(), profile: 'agent', flows: [flow.toUpperCase(), flow] },
    { name: 'support-web', keySha256: two, profile: 'agent', flows: [flow] },
    { name: 'a', keySha256: three, profile: 'full' },
    { name: `Reports.2_x@example-${'z'.repeat(44)}`, keySha256: 'd'.repeat(64), profile: 'viewer', flows: [] },
  ]
  t.strictSame(readCallers(JSON.stringify({ callers })), {
    callers: [
      { name: 'support-web', keySha256: one, profile: 'agent', flows: new Set([flow]) },
      { name: 'support-web', keySha256: two, profile: 'agent', flows: new Set([flow]) },
      { name: 'a', keySha256: three, profile: 'full', flows: null },
      { name: callers[3]?.name, keySha256: 'd'.repeat(64), profile: 'viewer', flows: new Set() },
    ],
  })
})

t.test('a callers’ file, when nobody is in it, is nobody', async (t) => {
  t.strictSame(readCallers('{"callers": []}'), { callers: [] })
})

t.test('a callers’ file, when it is not JSON, says where and quotes nothing', async (t) => {
  for (const [text, problem] of [
    ['{"callers": [\n  {"name": secret-canary}', 'the file: is not JSON'],
    ['{"callers": [\n  {"name": "secret-canary" "x"}', 'the file: is not JSON, line 2 column 28'],
    ['{"callers": [],}', 'the file: is not JSON, line 1 column 16'],
    ['x (line 7 column 8)', 'the file: is not JSON'],
    ['', 'the file: is not JSON'],
  ] as const) {
    t.strictSame(problemsOf(text), [problem])
  }
})

t.test('a callers’ file, when it is something else than an object with callers, is refused', async (t) => {
  for (const [document, problem] of [
    [[], 'the file: must be an object'],
    ['null', 'the file: must be an object'],
    ['"x"', 'the file: must be an object'],
    [{}, 'callers: must be an array'],
    [{ callers: { 0: good } }, 'callers: must be an array'],
    [{ callers: [], caller: [] }, 'the file: has an unknown property caller'],
    [{ callers: ['hbff_'] }, 'callers[0]: must be an object'],
    [{ callers: [null] }, 'callers[0]: must be an object'],
    [{ callers: [[]] }, 'callers[0]: must be an object'],
  ] as const) {
    t.strictSame(problemsOf(document), [problem])
  }
})

const nameProblem = 'callers[0].name: must be 1 to 64 letters, digits and . _ @ -'
const hashProblem = 'callers[0].keySha256: must be 64 hexadecimal digits'
const keyAsHash =
  'callers[0].keySha256: looks like a key and must be its SHA-256 hash: make a new key, this one has been seen'
const profileProblem = 'callers[0].profile: must be one of viewer, agent, full'
const flowsProblem = 'callers[0].flows: must be an array of flow ids; without it, every flow is meant'

t.test('an entry, when a part of it is wrong, is refused with the part and without its value', async (t) => {
  for (const [change, problem] of [
    [{ name: undefined }, nameProblem],
    [{ name: '' }, nameProblem],
    [{ name: 7 }, nameProblem],
    [{ name: 'x'.repeat(65) }, nameProblem],
    [{ name: 'two words' }, nameProblem],
    [{ name: 'line\n' }, nameProblem],
    [{ name: 'María' }, nameProblem],
    [
      { name: createKey() },
      'callers[0].name: looks like a key, and names are logged: make a new key, this one has been seen',
    ],
    [
      { name: `old.${createKey()}` },
      'callers[0].name: looks like a key, and names are logged: make a new key, this one has been seen',
    ],
    [{ keySha256: undefined }, hashProblem],
    [{ keySha256: one.slice(1) }, hashProblem],
    [{ keySha256: `${one}a` }, hashProblem],
    [{ keySha256: `${one.slice(1)}g` }, hashProblem],
    [{ keySha256: [one] }, hashProblem],
    [{ keySha256: createKey() }, keyAsHash],
    [{ keySha256: `Bearer ${createKey()}` }, keyAsHash],
    [{ profile: undefined }, profileProblem],
    [{ profile: 'admin' }, profileProblem],
    [{ profile: 'Agent' }, profileProblem],
    [{ profile: ['agent'] }, profileProblem],
    [{ flows: null }, flowsProblem],
    [{ flows: flow }, flowsProblem],
    [{ flows: { 0: flow } }, flowsProblem],
    [{ flows: [flow, 'secret-canary'] }, 'callers[0].flows[1]: must be a UUID'],
    [{ flows: [`${flow}0`] }, 'callers[0].flows[0]: must be a UUID'],
    [{ flows: [`0${flow}`] }, 'callers[0].flows[0]: must be a UUID'],
    [{ flows: [flow.replaceAll('-', '')] }, 'callers[0].flows[0]: must be a UUID'],
    [{ flows: [null] }, 'callers[0].flows[0]: must be a UUID'],
    [{ flow: [flow] }, 'callers[0]: has an unknown property flow'],
    [{ 'secret canary': 1 }, 'callers[0]: has an unknown property'],
    [{ [createKey()]: 1 }, 'callers[0]: has an unknown property'],
    [{ hbff_secretcanary: 1 }, 'callers[0]: has an unknown property'],
    [{ [one]: 1 }, 'callers[0]: has an unknown property'],
    [{ a23456789012345678901234: 1 }, 'callers[0]: has an unknown property a23456789012345678901234'],
    [{ a234567890123456789012345: 1 }, 'callers[0]: has an unknown property'],
    [{ '': 1 }, 'callers[0]: has an unknown property'],
  ] as const) {
    t.strictSame(problemsOf({ callers: [{ ...good, ...change }] }), [problem], JSON.stringify(change))
  }
  t.strictSame(problemsOf(`{"callers": [${JSON.stringify(good).replace('{', '{"__proto__":{},')}]}`), [
    'callers[0]: has an unknown property',
  ])
})

t.test('a callers’ file, when much is wrong with it, says all of it', async (t) => {
  t.strictSame(problemsOf({ callers: [{ name: '', profile: 'x', flows: ['x', 'y'] }, 7], more: 1 }), [
    'the file: has an unknown property more',
    nameProblem,
    hashProblem,
    profileProblem,
    'callers[0].flows[0]: must be a UUID',
    'callers[0].flows[1]: must be a UUID',
    'callers[1]: must be an object',
  ])
})

t.test(
  'a callers’ file, when a key is in it twice, is refused, in whatever case and under whatever name',
  async (t) => {
    t.strictSame(
      problemsOf({
        callers: [{ ...good, keySha256: two }, good, { name: 'x', keySha256: one.toUpperCase(), profile: 'oops' }],
      }),
      ['callers[2].profile: must be one of viewer, agent, full', 'callers[2].keySha256: is also that of callers[1]'],
    )
  },
)

t.test('two entries of one name, when their rights are not the same, are refused', async (t) => {
  const other = { ...good, keySha256: two }
  const profile = 'callers[1].profile: must be as in callers[0], which has the same name'
  const flows = 'callers[1].flows: must be as in callers[0], which has the same name'
  for (const [first, second, problems] of [
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
  ] as const) {
    t.strictSame(problemsOf({ callers: [first, second] }), problems)
  }
})

t.test('a third entry of one name, and a fourth, are refused', async (t) => {
  const hashes = [one, two, three, 'd'.repeat(64)]
  t.strictSame(
    problemsOf({ callers: [{ name: 'x' }, ...hashes.map((keySha256) => ({ ...good, keySha256 }))] }).slice(2),
    [
      'callers[3].name: is that of 2 entries already, callers[1] the first',
      'callers[4].name: is that of 2 entries already, callers[1] the first',
    ],
  )
})

t.test('entries whose names are wrong, when more than two, are not taken for one caller', async (t) => {
  const callers = [one, two, three].map((keySha256) => ({ ...good, keySha256, name: '' }))
  t.equal(problemsOf({ callers }).length, 3)
})

t.test('a callers’ file, when it has a thousand entries, is read, and with one more refused', async (t) => {
  const callers = Array.from({ length: 1001 }, (_, index) => ({
    ...good,
    name: `caller-${index}`,
    keySha256: keyHash(String(index)),
  }))
  t.strictSame(problemsOf({ callers: callers.slice(1) }), [])
  t.strictSame(problemsOf({ callers }), ['callers: must not have more than 1000 entries'])
})

t.test(
  'an object, when it has a property twice, is refused with the place: JSON.parse would take the last',
  async (t) => {
    const entry = `"name": "a", "keySha256": "${one}", "profile": "viewer"`
    for (const [text, problems] of [
      [`{"callers": [\n  {${entry}, "profile": "full"}]}`, ['the file: has a property twice, line 2 column 119']],
      [`{"callers": [{${entry}, "pr\\u006ffile" : "full"}]}`, ['the file: has a property twice, line 1 column 130']],
      [`{"callers": [], "callers"\n: []}`, ['the file: has a property twice, line 1 column 17']],
      [`{"callers": [{}], "callers": []}`, ['the file: has a property twice, line 1 column 19']],
      [`{"callers": [{"name": "name", ${entry.slice(13)}}]}`, []],
    ] as const) {
      t.strictSame(problemsOf(text), problems)
    }
    t.strictSame(problemsOf('{"x": {"\\"}": 1, "\\"}": "{"}, "y": [{}, {"a": 1}, {"a": 1}], "callers": []}'), [
      'the file: has a property twice, line 1 column 18',
      'the file: has an unknown property x',
      'the file: has an unknown property y',
    ])
  },
)

t.test('a file of rubbish, up to the largest that is read, is refused at once and in few words', async (t) => {
  const bytes = 1024 * 1024
  const rubbish = {
    repeated: `{${'"a":1,'.repeat(bytes / 6 - 2)}"a":1}`,
    numbers: `{"callers":[${'1,'.repeat(bytes / 2 - 10)}1]}`,
    flows: `{"callers":[{"flows":[${'1,'.repeat(bytes / 2 - 20)}1]}]}`,
  }
  for (const [name, text] of Object.entries(rubbish)) {
    const began = performance.now()
    const file = readCallers(text)
    t.ok(performance.now() - began < 2000, name)
    t.ok('problems' in file && file.problems.length <= 101 && file.problems.join().length < 10_000, name)
  }
})
