import type { RawAnswer } from '../load/raw-connection.ts'
import { askOnce, headersIn } from '../recorded-answers.ts'
import type { Findings, Section } from '../section.ts'
import { withCast } from '../started-subjects.ts'
import { formatNumber } from '../statistics.ts'
import { httpProxy } from '../subjects/http-proxy.ts'
import { service } from '../subjects/service.ts'
import { benchId } from '../upstream/document.ts'

const views = ['summary', 'timeline', 'transcript']
const encodings = ['identity', 'gzip', 'br']

interface Weighed {
  readonly what: string
  /** As it was asked for. */
  readonly accepted: string
  /** As it came. */
  readonly encoding: string
  readonly headBytes: number
  readonly bodyBytes: number
}

/** What goes over the wire for one answer. */
export const wire: Section = {
  name: 'wire',
  run: (bench) =>
    withCast([service, httpProxy], bench, async ({ subjects: [ours, proxy] }) => {
      const answers: Weighed[] = []
      const weigh = async (what: string, origin: string, accepted: string, query = '', tag = '') => {
        const headers = { 'accept-encoding': accepted, ...(tag !== '' && { 'if-none-match': tag }) }
        await askOnce(origin, benchId(0), headers, query)
        answers.push(weighed(what, accepted, await askOnce(origin, benchId(0), headers, query)))
      }
      if (ours) {
        for (const view of views)
          for (const encoding of encodings) await weigh(`hilos-bff, ${view}`, ours.origin, encoding, `?view=${view}`)
        const { etag = '' } = headersIn((await askOnce(ours.origin, benchId(0), {})).head)
        await weigh('hilos-bff, 304', ours.origin, 'identity', '', etag)
      }
      if (proxy) for (const encoding of ['identity', 'gzip']) await weigh('Hilos, proxied', proxy.origin, encoding)
      return findingsOf(answers)
    }),
}

function weighed(what: string, accepted: string, { status, head, headBytes, body }: RawAnswer): Weighed {
  const { 'content-encoding': encoding = 'identity' } = headersIn(head)
  const bodyBytes = status === 304 ? 0 : body.length
  return { what, accepted, encoding, headBytes, bodyBytes }
}

function findingsOf(answers: readonly Weighed[]): Findings {
  return {
    title: 'Bytes of an answer on the wire',
    notes: [
      'Bytes of HTTP, without those of TCP and TLS. The made-up document repeats itself, so Hilos’s real ones compress ' +
        'less well.',
    ],
    tables: [
      {
        columns: ['Answer', 'accepted', 'came as', 'headers', 'body', 'together'],
        rows: answers.map(({ what, accepted, encoding, headBytes, bodyBytes }) => [
          what,
          accepted,
          encoding,
          ...[headBytes, bodyBytes, headBytes + bodyBytes].map((bytes) => formatNumber(bytes, 0)),
        ]),
      },
    ],
    goals: [],
    data: answers,
  }
}
