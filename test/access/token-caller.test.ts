import t from 'tap'
import { callerOf } from '../../src/access/token-caller.ts'
import { checkRows, checkRowsInTurn, difference } from '../harness/table.ts'
import { refusalOf, refused } from './refusal.ts'

const claims = { sub: 'support-web', scope: 'execution-contacts:viewer' }
const flow = 'b2c0f1de-0000-4000-8000-00000000000a'

t.test('a token gives the widest profile that its scopes name, or no caller', async (t) => {
  const withoutProfile = [
    ...[{}, { scope: '' }, { scope: 'execution-contacts' }, { scope: 'execution-contacts:' }, { scope: null, scp: 7 }],
    ...[{ scope: 'execution-contacts:admin' }, { scope: 'Execution-Contacts:full' }],
    ...[{ scope: 'execution-contacts:full2' }, { scope: 'xexecution-contacts:full' }],
    { scope: 'execution-contacts:full,execution-contacts:agent' },
    ...[{ scp: ['openid execution-contacts:full'] }, { scp: [['execution-contacts:full']] }],
    { scp: { 0: 'execution-contacts:full' } },
  ].map((scopes) => [scopes, null] as const)
  const cases = [
    [{ scope: 'execution-contacts:viewer' }, 'viewer'],
    [{ scope: 'openid execution-contacts:agent profile' }, 'agent'],
    [{ scope: 'execution-contacts:full execution-contacts:viewer' }, 'full'],
    [{ scope: 'execution-contacts:viewer execution-contacts:agent' }, 'agent'],
    [{ scope: ['execution-contacts:agent'] }, 'agent'],
    [{ scp: 'openid execution-contacts:agent' }, 'agent'],
    [{ scp: ['openid', 'execution-contacts:full'] }, 'full'],
    [{ scope: 'execution-contacts:viewer', scp: ['execution-contacts:agent'] }, 'agent'],
    [{ scope: 'execution-contacts:agent', scp: 'execution-contacts:viewer' }, 'agent'],
    [{ scope: 'execution-contacts:viewer', scp: 7 }, 'viewer'],
    ...withoutProfile,
  ] as const
  const check = ([scopes, profile]: (typeof cases)[number]) => {
    const caller = callerOf({ sub: 'x', ...scopes })
    return difference(caller === null ? null : caller.profile, profile)
  }
  checkRows(t, cases, check, 'each scope')
})

t.test('a token can limit its caller to flows', async (t) => {
  const cases = [
    [{}, null],
    [{ hilos_flows: [] }, []],
    [{ hilos_flows: [flow.toUpperCase(), flow, 'other'] }, [flow, 'other']],
    [{ hilos_flows: flow.toUpperCase() }, [flow]],
    [{ hilos_flows: '' }, ['']],
  ] as const
  const check = ([limit, flows]: (typeof cases)[number]) =>
    difference(callerOf({ ...claims, ...limit })?.flows, flows && new Set(flows))
  checkRows(t, cases, check, 'each limit')
})

t.test('a token is refused if its flows are not understood, or its subject is no name', async (t) => {
  const limits = [null, 7, true, {}, { 0: flow }, [flow, null], [[flow]], [7]]
  const unprintable = '0 a 1b 1f 7f 85 9b 9f 61c 200e 2028 2029 202e 2069 d800 dfff'.split(' ')
  const invisible =
    'ad 34f 115f 1160 17b4 180b 200b 200c 200d 2060 2061 2800 3164 fe0f feff ffa0 1d159 1d173 e0001 e0041 e0100'
      .split(' ')
      .map((code) => String.fromCodePoint(Number.parseInt(code, 16)))
  const subjects = [
    ...['', 's'.repeat(256), 7, null, ['x'], undefined],
    ...invisible.flatMap((character) => [character, character.repeat(3), `a${character}`, `a${character}b`]),
    ...[
      ' ',
      ' a',
      'a ',
      'a  b',
      'a\tb',
      '\u00a0',
      'a\u00a0b',
      'a\u3000b',
      'a\u2003b',
      '\u0301',
      '\u0301a',
      'e\u0301',
      '\u212a',
    ],
    ...['\u0378', '\ue000', '\ufdd0', '\u{10ffff}', 'a\u{1f468}\u200d\u{1f680}'],
    ...unprintable.map((code) => `a${String.fromCharCode(Number.parseInt(code, 16))}b`),
  ]
  const cases: readonly object[] = [
    ...limits.flatMap((hilos_flows) => [claims.scope, ''].map((scope) => ({ hilos_flows, scope }))),
    ...subjects.map((sub) => ({ sub })),
  ]
  const check = async (given: object) =>
    difference(await refusalOf(flow, () => callerOf({ ...claims, ...given })), refused('claims'))
  await checkRowsInTurn(t, cases, check, 'each claim')
  const names = [
    'x',
    's'.repeat(255),
    'a b',
    'Zoë Łukasz',
    '山田',
    'أحمد',
    'ไทย',
    '👩',
    'auth0|1~',
    '"\\',
    'a\u0308\u0301'.normalize(),
  ]
  checkRows(t, names, (sub) => difference(callerOf({ ...claims, sub })?.name, sub), 'each name')
})
