import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { acceptsJson, codingFor, variesOn } from '../../src/plugins/negotiation.ts'
import { isLinear } from '../harness/growth.ts'
import { checkRows, difference } from '../harness/table.ts'

const requestWith = (headers: FastifyRequest['headers']) => ({ headers }) as FastifyRequest
const codingOf = (header?: string) => codingFor(requestWith({ 'accept-encoding': header }))

t.test('the coding has the highest weight that is not 0, and is the preferred one among equals', async (t) => {
  const headers: readonly (readonly [coding: string, ...headers: (string | undefined)[]])[] = [
    ['br', 'br', 'gzip, deflate, br', 'gzip, deflate, br, zstd', 'gzip,br', 'br;q=0.8, gzip;q=0.8', '*', '*;q=0.1'],
    ['gzip', 'gzip', 'GZip', 'identity, gzip', 'br;q=0.5, gzip;q=0.8', 'br;q=0.5, gzip;q=0.8, *;q=0.1'],
    ['gzip', 'br;q=0.799, gzip;q=0.8', 'gzip;q=0.001', 'gzip;Q=1.000', 'gzip ; q=0.5 , br\t;\tq=0.1'],
    ['gzip', 'br;q=0, *', '*;q=0.5, gzip', '*;q=0, gzip', 'identity;q=0, gzip;q=0.1'],
    ['identity', undefined, '', ' ', 'identity', 'deflate, zstd', 'x-gzip', 'gzip;q=0.5, identity'],
    ['identity', 'gzip;q=0.5, identity;q=0.8', '*;q=0.5, identity', 'gzip;q=0', 'gzip;Q=0', 'gzip;q=0.000, br;q=0.'],
    // A caller that excludes everything gets the plain body.
    ['identity', '*;q=0', 'identity;q=0', 'identity;q=0, *;q=0'],
    // Malformed, or with a coding twice: negotiator decides.
    ['br', 'gzip;q=a, br;q=0.1'],
    ['gzip', 'gzip;q=2', 'gzip;q=1.1', 'gzip;q=1.1, br', 'gzip;level=9', 'gzip;foo=bar', 'gzip;q=0, gzip'],
    ['identity', 'garbage', 'garbage;;q=x,,', ',;,=, ;q=1', 'gzip br', 'gzip;q=', 'gzip;q=-1'],
  ]
  const cases = headers.flatMap(([coding, ...each]) => each.map((header) => [header, coding] as const))
  const check = ([header, coding]: (typeof cases)[number]) => difference(codingOf(header), coding)
  checkRows(t, [...cases, ...cases], check, 'each header, and again')
})

t.test('a caller accepts JSON unless the Accept header leaves it out', async (t) => {
  const headers: readonly (readonly [accepted: boolean, ...headers: (string | undefined)[]])[] = [
    [true, undefined, '', '*/*', 'text/html, */*;q=0.1', 'application/*', 'application/json'],
    [true, 'APPLICATION/JSON;q=0.1', 'application/json; charset=utf-8', 'application/json;charset=UTF-8'],
    [false, 'text/html', 'application/json;q=0, */*', 'application/xml', 'garbage'],
  ]
  const cases = headers.flatMap(([accepted, ...each]) => each.map((accept) => [accept, accepted] as const))
  const check = ([accept, accepted]: (typeof cases)[number]) =>
    difference(acceptsJson(requestWith({ accept })), accepted)
  checkRows(t, [...cases, ...cases], check, 'each header, and again')
})

t.test('a header is read right even if more values are sent than are cached', async (t) => {
  const values = ['gzip', 'br', 'gzip'].flatMap((coding) =>
    Array.from({ length: 150 }, (_, index) => [`${coding}, kind-${index}`, coding] as const),
  )
  checkRows(t, values, ([header, coding]) => difference(codingOf(header), coding), 'each value')
})

t.test('a long Accept-Encoding is read in time in proportion to its length', async (t) => {
  let count = 0
  /** Different each time, so that it is not cached. */
  const read = (header: string) => codingOf(`${header},${count++}`)
  const parts = ['gzip;', ' ', 'a;q=0', ',', '*;q=0.0', '\t;\tq=1']
  const check = (part: (typeof parts)[number]) =>
    difference(
      isLinear((length) => read(part.repeat(length / part.length)), 2000),
      true,
    )
  checkRows(t, parts, check, 'each repeated part')
})

t.test('a value that is too long counts as none', async (t) => {
  const longest = `gzip${','.repeat(508)}`
  t.equal(codingOf(longest), 'gzip')
  t.equal(codingOf(`${longest},`), 'identity')
  t.equal(acceptsJson(requestWith({ accept: `text/html${','.repeat(504)}` })), true)
})

t.test('Vary keeps the names that it has', async (t) => {
  t.equal(variesOn(undefined, 'Accept, Accept-Encoding'), 'Accept, Accept-Encoding')
  t.equal(variesOn('Origin', 'Accept-Encoding'), 'Origin, Accept-Encoding')
})
