import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { type FaultName, faultIds } from '../sandbox/faults.ts'
import { uuid } from '../sandbox/parts.ts'
import { type View, views } from '../src/presentation/views/view.ts'
import { type ContractName, canariesIn, contracts, plantCanaries } from './harness/canary-document.ts'
import { encodingsOf } from './harness/encodings-of.ts'
import { mayLeave } from './harness/may-leave.ts'
import { sandboxToken, startService, textOf } from './harness/service.ts'

const id = '00000000-0000-4000-8000-0000000ca4a4'
const path = `/execution-contacts/${id}`

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
  for (const text of [remembered, log()]) t.strictSame(encodingsOf(sandboxToken, text), [])
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
    t.strictSame(encodingsOf(sandboxToken, `${reply.text} ${inspect([...reply.headers])}`), [], each)
  }
  t.strictSame(encodingsOf(sandboxToken, log()), [])
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
