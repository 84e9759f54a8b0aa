import t from 'tap'
import { Secret } from '../../src/common/secret.ts'
import { createEnvelope } from '../../src/tier/envelope.ts'
import { createEvents } from '../../src/tier/events.ts'
import type { SharedEvent } from '../../src/tier/shared-server.ts'
import { checkRows, difference } from '../harness/table.ts'

const key = (byte: number) => new Secret(Buffer.alloc(32, byte).toString('base64'))
const id = '00000000-0000-4000-8000-000000000001'

function arrange(byte = 7, replica = 'one') {
  const unopened: string[] = []
  const envelope = createEnvelope(() => ({ names: key(1), seal: [{ id: 1, key: key(byte) }] }))
  return {
    ...createEvents(replica, envelope, { unopened: () => void unopened.push('unopened') }),
    envelope,
    unopened,
  }
}

const events: readonly SharedEvent[] = [
  { kind: 'landed', id, revision: 'revision' },
  { kind: 'landed', id, revision: '' },
  { kind: 'forgotten', id, purge: 'purge' },
  { kind: 'forgotten', id, purge: '' },
  { kind: 'cleared', purge: 'purge' },
  { kind: 'cleared', purge: '' },
  { kind: 'paused' },
]

/** The entry that the server makes of the arguments. */
function entry(args: readonly string[]) {
  const fields = new Map<string, string>()
  for (let index = 0; index < args.length; index += 2) fields.set(String(args[index]), String(args[index + 1]))
  return { id: '1-1', fields }
}

t.test('another replica hears each event as it was told, this one does not', async (t) => {
  const [one, other] = [arrange(), arrange(7, 'other')]
  checkRows(
    t,
    events,
    (event) => difference(other.decode(entry(one.encode(event))), event),
    'each event is the same for others',
  )
  checkRows(t, events, (event) => difference(one.decode(entry(one.encode(event))), null), 'none is for this replica')
  t.strictSame(other.unopened, [])
})

t.test('the server is not told which contact it is', async (t) => {
  const { encode, envelope } = arrange()
  checkRows(
    t,
    events,
    (event) => difference(encode(event).join(' ').includes(id), false),
    'no event holds the id of the contact',
  )
  const sealed = String(entry(encode({ kind: 'forgotten', id, purge: '' })).fields.get('id'))
  t.not(sealed, String(entry(encode({ kind: 'forgotten', id, purge: '' })).fields.get('id')), 'no two are the same')
  t.equal(envelope.open(Buffer.from(sealed, 'base64url'), 'entry'), null, 'it is no entry')
})

t.test('an event about a contact that cannot be opened may be about any', async (t) => {
  const [one, other] = [arrange(), arrange(8, 'other')]
  for (const event of events.slice(0, 4))
    t.strictSame(other.decode(entry(one.encode(event))), { kind: 'cleared', purge: '' })
  t.equal(other.unopened.length, 4)
  t.strictSame(other.decode(entry(['kind', 'forgotten', 'by', 'one'])), { kind: 'cleared', purge: '' }, 'without an id')
})

t.test('what is missing is empty, and what is unknown says nothing', async (t) => {
  const { decode } = arrange()
  t.strictSame(decode(entry(['kind', 'cleared', 'by', 'other'])), { kind: 'cleared', purge: '' })
  t.strictSame(decode(entry(['kind', 'cleared'])), { kind: 'cleared', purge: '' }, 'it is not by this replica')
  for (const args of [['kind', 'joined', 'by', 'other'], ['kind', 'later version', 'by', 'other'], []])
    t.equal(decode(entry(args)), null)
})
