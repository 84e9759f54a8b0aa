import { inspect } from 'node:util'
import t from 'tap'
import { type FaultName, faultIds } from '../sandbox/faults.ts'
import { uuid } from '../sandbox/parts.ts'
import { type View, views } from '../src/presentation/views/view.ts'
import { type ContractName, canariesIn, contracts, plantCanaries } from './harness/canary-document.ts'
import { encodingsOf } from './harness/encodings-of.ts'
import { mayLeave } from './harness/may-leave.ts'
import { sandboxToken, startService, textOf } from './harness/service.ts'

const id = '00000000-0000-4000-8000-0000000ca4a4'
const path = `/execution-contacts/${id}`

/** Of these paths, those of texts and ids. A text in the place of a number or a time becomes null. */
function pathsOfTexts(contract: ContractName, paths: readonly string[]): string[] {
  const { canaries } = plantCanaries(contract, id, true)
  return paths.filter((each) => /^ca(nary|4a4ca4)-/.test(canaries.get(each) ?? ''))
}

for (const contract of Object.keys(contracts) as ContractName[])
  for (const typed of [true, false])
    t.test(
      `a document of canaries of the ${contract} contract${typed ? '' : ', all of the wrong type,'} leaves only listed fields`,
      async (t) => {
        const { get, sandbox, store, log } = await startService(t)
        const { document, canaries } = plantCanaries(contract, id, typed)
        t.ok(canaries.size > 600, `${canaries.size} canaries`)
        sandbox.documents.set(id, () => document)
        const expected = (view: View) => {
          const paths = mayLeave(contract, view)
          return typed ? paths : pathsOfTexts(contract, paths)
        }
        for (const view of views) {
          const reply = await get(`${path}?view=${view}`)
          t.equal(reply.status, 200)
          t.strictSame(canariesIn(reply.text, canaries), expected(view), `the ${view} has all listed fields`)
          t.strictSame(canariesIn(inspect([...reply.headers]), canaries), [])
        }
        const stored = textOf(store.entries())
        t.strictSame(canariesIn(stored, canaries), expected('transcript'), 'the cache has only listed fields')
        t.strictSame(canariesIn(log(), canaries), [], 'the log has none')
        t.match(log(), /"level":30,.*"msg":"answered"/)
        t.strictSame(encodingsOf(sandboxToken, stored + log()), [])
      },
    )

t.test('a document of canaries leaves nothing anywhere when Hilos fails', async (t) => {
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

t.test('a document of canaries leaves nothing when a library quotes it in an error', async (t) => {
  const { get, log, sandbox } = await startService(t)
  const { document, canaries } = plantCanaries('given', id, true)
  sandbox.documents.set(id, () => document)
  const original = JSON.parse
  t.teardown(() => {
    JSON.parse = original
  })
  JSON.parse = (text: string) => {
    if (!text.includes('canary')) return original(text)
    throw Object.assign(new TypeError(text), { code: 'ERR_QUOTING', input: text })
  }
  const reply = await get(path)
  JSON.parse = original
  t.equal(reply.status, 502)
  t.strictSame(canariesIn(`${reply.text} ${log()}`, canaries), [])
})

t.test('the token is nowhere when Hilos repeats it', async (t) => {
  const faultText = `Token ${sandboxToken}`
  const { get, log, store, sandbox } = await startService(t, { faultText, env: { HILOS_TIMEOUT_MS: '150' } })
  const documents: readonly Record<string, unknown>[] = [
    { contact: {}, status_reason: `Token ${sandboxToken}` },
    { contact: { first_name: sandboxToken } },
    { contact: { meta: sandboxToken } },
    { contact: {}, [sandboxToken]: 1 },
    { execution_steps: [{ messages: [{ message: { body: sandboxToken } }] }] },
  ]
  for (const [index, document] of documents.entries()) sandbox.documents.set(uuid(0xec, index), () => document)
  const ids = documents.map((_, index) => uuid(0xec, index))
  for (const each of [...ids, ...Object.values(faultIds)]) {
    const reply = await get(`/execution-contacts/${each}?view=transcript`)
    t.ok(reply.status >= 500, each)
    t.strictSame(encodingsOf(sandboxToken, `${reply.text} ${inspect([...reply.headers])}`), [], each)
  }
  t.strictSame(encodingsOf(sandboxToken, log()), [])
  t.equal(textOf(store.entries()), '')
  for (const { rawHeaders } of sandbox.requests) t.ok(rawHeaders.includes(`Token ${sandboxToken}`))
})

t.test('a key of at most eleven characters may be part of a document, unless it follows `Token`', async (t) => {
  for (const [token, reason, status] of [
    ['test', 'a test', 200],
    ['test', 'Token test', 502],
    ['eleven-char', 'eleven-char', 200],
    ['twelve-chars', 'twelve-chars', 502],
  ] as const) {
    const { get, sandbox } = await startService(t, { token })
    sandbox.documents.set(id, () => ({ contact: {}, is_test: true, reason }))
    t.equal((await get(path)).status, status, `${token}: ${reason}`)
  }
})
