import t from 'tap'
import { callerOf } from '../../src/access/token-caller.ts'
import { challenges, refusal } from './refusal.ts'

const claims = { sub: 'support-web', scope: 'execution-contacts:viewer' }
const flow = 'b2c0f1de-0000-4000-8000-00000000000a'

t.test('a token’s caller has the widest profile that its scopes name', async (t) => {
  for (const [scopes, profile] of [
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
  ] as const) {
    t.equal(callerOf({ sub: 'x', ...scopes })?.profile, profile, JSON.stringify(scopes))
  }
})

t.test('a token, when its scopes name no profile, has no caller', async (t) => {
  for (const scopes of [
    {},
    { scope: '' },
    { scope: 'execution-contacts' },
    { scope: 'execution-contacts:' },
    { scope: 'execution-contacts:admin' },
    { scope: 'Execution-Contacts:full' },
    { scope: 'execution-contacts:full2' },
    { scope: 'xexecution-contacts:full' },
    { scope: 'execution-contacts:full,execution-contacts:agent' },
    { scp: ['openid execution-contacts:full'] },
    { scp: [['execution-contacts:full']] },
    { scp: { 0: 'execution-contacts:full' } },
    { scope: null, scp: 7 },
  ]) {
    t.equal(callerOf({ sub: 'x', ...scopes }), null, JSON.stringify(scopes))
  }
})

t.test('a token, when it limits the flows, limits its caller to them', async (t) => {
  for (const [limit, flows] of [
    [{}, null],
    [{ hilos_flows: [] }, []],
    [{ hilos_flows: [flow.toUpperCase(), flow, 'other'] }, [flow, 'other']],
    [{ hilos_flows: flow.toUpperCase() }, [flow]],
    [{ hilos_flows: '' }, ['']],
  ] as const) {
    t.strictSame(callerOf({ ...claims, ...limit })?.flows, flows && new Set(flows), JSON.stringify(limit))
  }
})

const invalid = { code: 'unauthenticated', facts: { reason: 'claims' }, challenge: challenges.invalid }

t.test('a token, when its limit of flows is not understood, is refused, whatever its scopes', async (t) => {
  for (const limit of [null, 7, true, {}, { 0: flow }, [flow, null], [[flow]], [7]]) {
    for (const scope of [claims.scope, ''])
      t.strictSame(await refusal(t, flow, () => callerOf({ ...claims, scope, hilos_flows: limit })), invalid)
  }
})

t.test('a token, when its subject is no name of 1 to 255 characters that can be shown, is refused', async (t) => {
  for (const sub of ['', 's'.repeat(256), 7, null, ['x'], undefined] as unknown as string[])
    t.strictSame(await refusal(t, '', () => callerOf({ ...claims, sub })), invalid)
  for (const code of [
    0, 0x0a, 0x1b, 0x1f, 0x7f, 0x85, 0x9b, 0x9f, 0x61c, 0x200e, 0x2028, 0x2029, 0x202e, 0x2069, 0xd800, 0xdfff,
  ])
    t.strictSame(
      await refusal(t, '', () => callerOf({ ...claims, sub: `a${String.fromCharCode(code)}b` })),
      invalid,
      code.toString(16),
    )
  for (const sub of ['x', 's'.repeat(255), 'a b', 'Zoë\u00a0Łukasz', '山田', '👩‍🚀', 'auth0|1~', '"\\'])
    t.equal(callerOf({ ...claims, sub })?.name, sub)
})
