import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { type FaultName, faultIds } from '../sandbox/faults.ts'
import { uuid } from '../sandbox/parts.ts'
import { type View, views } from '../src/presentation/rendering.ts'
import { type ContractName, canariesIn, contracts, plantCanaries } from './harness/canary-document.ts'
import { sandboxToken, startService, textOf } from './harness/service.ts'

const id = '00000000-0000-4000-8000-0000000ca4a4'
const path = `/execution-contacts/${id}`

/** Under each of the steps, and each of their messages, the paths that may leave. */
const under = (parents: readonly string[], names: string) =>
  parents.flatMap((parent) =>
    names
      .trim()
      .split(/\s+/)
      .map((name) => `${parent}.${name}`),
  )
const steps = [0, 1, 2].map((index) => `execution_steps[${index}]`)
const [actionStep = '', quietStep = '', silentStep = ''] = steps
const outbound = [actionStep, quietStep].map((step) => `${step}.messages[0].message`)
const inbound = [actionStep, quietStep].map((step) => `${step}.messages[1].message`)

/**
 * All that may leave, in the words of the given contract, each path under the first view that has it.
 * This list is the promise: to publish a field is to write it here.
 */
const listed: Readonly<Record<View, readonly string[]>> = {
  summary: [
    ...under(['contact'], 'canonical_phone email first_name id last_name'),
    ...under(['flow'], 'channel.name id name'),
    ...under(['flow_version'], 'id version_name'),
    ...under(['status_triggered_by'], 'first_name last_name'),
    ...['created_on', 'flow_execution', 'inbox_contact_id', 'status_last_change_on', 'status_reason'],
    // The current step, and the nearer of its deadlines.
    ...under([quietStep], 'id step.delay_until'),
  ],
  timeline: [
    ...under(steps, 'id created_on expire_on status_last_change_on validation_failed_attempts'),
    ...under(steps, 'step.id step.name step.answer_type step.answer_options[0] step.answer_options[1]'),
    ...under(steps, 'step.max_answer_attempts step.delay_until'),
    ...[`${actionStep}.step.step_type`, `${quietStep}.status_reason`, `${silentStep}.status_reason`],
    // The answers, and which messages belong to a step.
    ...[...under(inbound, 'id body timestamp'), ...under(outbound, 'id'), `${silentStep}.execution_result`],
  ],
  transcript: [
    ...under(outbound, 'body timestamp'),
    ...under([...outbound, ...inbound], 'sent_on delivered_on read_on failed_on failed_attempts provider_error_code'),
    ...under([...outbound, ...inbound], 'location.address location.place_name location.latitude location.longitude'),
    ...under([...outbound, ...inbound], 'whatsapp_template.name whatsapp_template.language context_message.id'),
  ],
}

/** The same path in the earlier contract, or none. */
function inEarlierContract(given: string): string | null {
  if (/^(inbox_contact_id|status_last_change_on|status_triggered_by)/.test(given)) return null
  return given
    .replace(/^status_reason$/, 'reason')
    .replace(/\.status_reason$/, '.last_error_detail')
    .replace(/^flow_execution$/, 'flow_execution.id')
    .replace(/^(flow|flow_version)\./, 'flow_execution.$1.')
    .replace(/context_message\.id$/, 'context_message')
}

function mayLeave(contract: ContractName, view: View): string[] {
  const paths = views.slice(0, views.indexOf(view) + 1).flatMap((each) => listed[each])
  const named = contract === 'given' ? paths : paths.flatMap((given) => inEarlierContract(given) ?? [])
  return [...new Set(named)].sort()
}

/** Texts and ids only: a text where a number or a time should be is null. */
function asTexts(contract: ContractName, paths: readonly string[]): string[] {
  const { canaries } = plantCanaries(contract, id, true)
  return paths.filter((each) => /^ca(nary|4a4ca4)-/.test(canaries.get(each) ?? ''))
}

for (const contract of Object.keys(contracts) as ContractName[])
  for (const typed of [true, false])
    t.test(
      `a document of the ${contract} contract, when every leaf is a canary${typed ? '' : ' of the wrong type'}, lets out what is listed`,
      (t) => proveNoLeak(t, contract, typed),
    )

async function proveNoLeak(t: Test, contract: ContractName, typed: boolean): Promise<void> {
  const { get, sandbox, store, log } = await startService(t)
  const { document, canaries } = plantCanaries(contract, id, typed)
  t.ok(canaries.size > 600, `${canaries.size} canaries`)
  sandbox.documents.set(id, () => document)
  const expected = (view: View) => (typed ? mayLeave(contract, view) : asTexts(contract, mayLeave(contract, view)))

  for (const view of views) {
    const reply = await get(`${path}?view=${view}`)
    t.equal(reply.status, 200)
    t.strictSame(
      canariesIn(reply.text, canaries),
      expected(view),
      `the ${view} has what is listed, all of it and no more`,
    )
    t.strictSame(canariesIn(inspect([...reply.headers]), canaries), [], `the headers of the ${view} have nothing`)
  }
  const remembered = textOf(store.entries())
  t.strictSame(canariesIn(remembered, canaries), expected('transcript'), 'the cache has what may leave and no more')
  t.strictSame(canariesIn(log(), canaries), [], 'the log has nothing')
  t.match(log(), /"level":30,.*"msg":"answered"/, 'and it is the log')
  for (const text of [remembered, log()]) t.notMatch(text, sandboxToken)
}

t.test('a document of canaries, when Hilos fails in whatever way, leaves nothing anywhere', async (t) => {
  const { document, canaries } = plantCanaries('given', id, true)
  const faultText = JSON.stringify(document)
  const { get, log, store } = await startService(t, { faultText, env: { HILOS_TIMEOUT_MS: '150' } })
  for (const name of Object.keys(faultIds) as FaultName[]) {
    const reply = await get(`/execution-contacts/${faultIds[name]}`)
    t.ok(reply.status >= 500, name)
    t.strictSame(canariesIn(`${reply.text} ${inspect([...reply.headers])}`, canaries), [], name)
  }
  t.strictSame(canariesIn(log(), canaries), [])
  t.equal(textOf(store.entries()), '')
})

t.test(
  'a document of canaries, when something breaks on the way, leaves nothing in the error or the log',
  async (t) => {
    const { get, log, sandbox } = await startService(t)
    const { document, canaries } = plantCanaries('given', id, true)
    sandbox.documents.set(id, () => document)
    const original = JSON.parse
    t.teardown(() => {
      JSON.parse = original
    })
    // The worst a library can do: quote all it was given in its error.
    JSON.parse = (text: string) => {
      if (!text.includes('canary')) return original(text)
      throw Object.assign(new TypeError(text), { code: 'ERR_QUOTING', input: text })
    }
    const reply = await get(path)
    JSON.parse = original
    t.equal(reply.status, 502)
    t.strictSame(canariesIn(`${reply.text} ${log()}`, canaries), [])
  },
)

t.test('the token, when Hilos echoes it in whatever it answers with, is nowhere', async (t) => {
  const { get, log, store, sandbox } = await startService(t, {
    faultText: `Token ${sandboxToken}`,
    env: { HILOS_TIMEOUT_MS: '150' },
  })
  const echoes: readonly Record<string, unknown>[] = [
    { contact: {}, status_reason: `Token ${sandboxToken}` },
    { contact: { first_name: sandboxToken } },
    { contact: { meta: sandboxToken } },
    { contact: {}, [sandboxToken]: 1 },
    { execution_steps: [{ messages: [{ message: { body: sandboxToken } }] }] },
  ]
  const ids = echoes.map((echo, index) => {
    const echoId = uuid(0xec, index)
    sandbox.documents.set(echoId, () => echo)
    return echoId
  })
  for (const each of [...ids, ...Object.values(faultIds)]) {
    const reply = await get(`/execution-contacts/${each}?view=transcript`)
    t.ok(reply.status >= 500, each)
    t.notMatch(`${reply.text} ${inspect([...reply.headers])}`, sandboxToken, each)
  }
  t.notMatch(log(), sandboxToken)
  t.equal(textOf(store.entries()), '')
  t.ok(
    sandbox.requests.every(({ rawHeaders }) => rawHeaders.includes(`Token ${sandboxToken}`)),
    'it was really sent',
  )
})

t.test(
  'a key, when it is so short that it stands in documents by chance, refuses only what repeats the credentials',
  async (t) => {
    const table = [
      ['test', { contact: {}, is_test: true, reason: 'a test' }, 200],
      ['test', { contact: {}, reason: 'Token test' }, 502],
      ['eleven-char', { contact: {}, reason: 'eleven-char' }, 200],
      ['twelve-chars', { contact: {}, reason: 'twelve-chars' }, 502],
    ] as const
    for (const [token, document, status] of table) {
      const { get, sandbox } = await startService(t, { token })
      sandbox.documents.set(id, () => document)
      t.equal((await get(path)).status, status, `${token}: ${JSON.stringify(document)}`)
    }
  },
)
