import t from 'tap'
import { forbiddenProfile } from '../../src/access/access-failure.ts'
import { anonymous } from '../../src/access/caller.ts'
import { noDirectives } from '../../src/cache/request-directives.ts'
import type { ContactQuery, ContactReading } from '../../src/contacts/read-contact.ts'
import { type ContactsQuery, combinedReport, createReadContacts } from '../../src/contacts/read-contacts.ts'
import { Failure } from '../../src/failures/failure.ts'
import { UpstreamFailure } from '../../src/upstream/failures.ts'
import { createTimers, settled } from '../harness/timers.ts'

const query: Omit<ContactsQuery, 'ids'> = {
  ...{ caller: anonymous, askedBy: 'a', directives: noDirectives },
  ...{ view: 'summary', profile: 'full' },
}
const rationed = () => new UpstreamFailure('overloaded', { notAsked: 'rationed' })

/** Readings that end when the test says so, with their failure or an absence. */
function arrange(places = 100) {
  const clock = createTimers()
  const asked: ContactQuery[] = []
  const open = new Map<string, (failure?: Error) => void>()
  let refused = 0
  let isGone = false
  const read = (each: ContactQuery): Promise<ContactReading> => {
    if (open.size >= places) {
      refused += 1
      return Promise.reject(rationed())
    }
    asked.push(each)
    return new Promise((resolve, reject) =>
      open.set(each.id, (failure) => {
        open.delete(each.id)
        if (failure) reject(failure)
        else resolve({ representation: null, retryAfter: 7, cache: null })
      }),
    )
  }
  const readContacts = createReadContacts({ read, timeoutMs: 8000, clock })
  /** The ids and codes of the items. */
  const begin = async (ids: string) => {
    const codes = readContacts({ ...query, ids: ids.split(' ') }, () => isGone).then((items) =>
      items.map((item) => `${item.id} ${'failure' in item ? item.failure.code : 'shown'}`),
    )
    await settled()
    return codes
  }
  const end = async (id: string, failure?: Error) => {
    open.get(id)?.(failure)
    await settled()
  }
  const leave = () => {
    isGone = true
  }
  return { clock, asked, begin, end, leave, readContacts, refused: () => refused }
}

t.test('all are read at the same time, each once, as part of a batch and without a coding', async (t) => {
  const { readContacts, asked, end, clock } = arrange()
  const items = readContacts({ ...query, ids: ['a', 'b', 'a'] }, () => false)
  await settled()
  t.match(asked, [
    { id: 'a', coding: 'identity', urgency: 1, askedBy: 'a' },
    { id: 'b', coding: 'identity', urgency: 1 },
  ])
  await end('b')
  await end('a', new TypeError('a fault'))
  const found = await items
  t.match(found, [
    { id: 'a', failure: { code: 'internal_error', cause: { message: 'a fault' } }, retryAfter: null },
    { id: 'b', failure: { code: 'execution_contact_not_found' }, retryAfter: 7, cache: null },
    { id: 'a', failure: { code: 'internal_error' } },
  ])
  t.equal(combinedReport(found), null)
  t.strictSame(clock.armed(), [], 'no timer is left')
})

t.test('those without a place are read again until there is one', async (t) => {
  const { begin, end, asked, clock } = arrange(2)
  let isOver = false
  const codes = (async () => await await begin('a b c d e'))().finally(() => {
    isOver = true
  })
  const names = () => asked.map(({ id }) => id).join('')
  await settled()
  t.equal(names(), 'ab')
  await end('b')
  await clock.advance(249)
  t.equal(names(), 'ab')
  await clock.advance(1)
  t.equal(names(), 'abc')
  await end('a', new Failure('upstream_error'))
  await end('c')
  await clock.advance(250)
  t.equal(names(), 'abcde')
  await end('d')
  t.notOk(isOver)
  await end('e')
  t.strictSame(await codes, [
    'a upstream_error',
    ...['b', 'c', 'd', 'e'].map((id) => `${id} execution_contact_not_found`),
  ])
})

t.test('when there is no place until the deadline, that is the answer', async (t) => {
  const { begin, refused, clock } = arrange(0)
  const codes = (async () => await await begin('a b'))()
  await clock.advance(8000)
  t.strictSame(await codes, ['a overloaded', 'b overloaded'])
  const tries = refused()
  await clock.advance(8000)
  t.equal(refused(), tries, 'and none is read again')
})

t.test('none is read again for a caller who has left', async (t) => {
  const { begin, refused, clock, leave } = arrange(0)
  const codes = (async () => await await begin('a b'))()
  await settled()
  leave()
  await clock.advance(250)
  t.strictSame(await codes, ['a overloaded', 'b overloaded'])
  t.equal(refused(), 2)
})

t.test('what has no answer at the deadline fails, and keeps the failure that it had', async (t) => {
  const { readContacts, end, clock } = arrange(2)
  const items = readContacts({ ...query, ids: ['a', 'b', 'c', 'd'] }, () => false)
  await settled()
  await end('a')
  await clock.advance(7999)
  let isOver = false
  void items.then(() => {
    isOver = true
  })
  await settled()
  t.notOk(isOver)
  await clock.advance(1)
  t.match(await items, [
    { failure: { code: 'execution_contact_not_found' } },
    { failure: { code: 'upstream_timeout', facts: { timeoutMs: 8000 } }, retryAfter: 2 },
    { failure: { code: 'overloaded' } },
    { failure: { code: 'overloaded' } },
  ])
})

t.test('what the caller may not do concerns all', async (t) => {
  const { readContacts, end, clock } = arrange()
  const items = readContacts({ ...query, ids: ['a', 'b'] }, () => false)
  const rejected = t.rejects(items, { code: 'forbidden' })
  await settled()
  await end('b', forbiddenProfile('full'))
  await rejected
  t.strictSame(clock.armed(), [])
  await end('a')
})
