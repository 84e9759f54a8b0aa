import type { RawAnswer } from '../load/raw-connection.ts'
import { headersIn, requestOnce } from '../recorded-answers.ts'
import type { Findings, Section } from '../section.ts'
import { withSubjects } from '../started-subjects.ts'
import { formatNumber } from '../statistics.ts'
import { httpProxy } from '../subjects/http-proxy.ts'
import { service } from '../subjects/service.ts'
import { benchId } from '../upstream/document.ts'

const views = ['summary', 'timeline', 'transcript']
const encodings = ['identity', 'gzip', 'br']

interface WireSize {
  readonly name: string
  /** The value of Accept-Encoding. */
  readonly accepted: string
  /** The content coding of the response. */
  readonly encoding: string
  readonly headBytes: number
  readonly bodyBytes: number
}

/** The size of responses on the wire. */
export const wire: Section = {
  name: 'wire',
  run: (bench) =>
    withSubjects([service, httpProxy], bench, async ({ subjects: [ours, proxy] }) => {
      const sizes: WireSize[] = []
      const measure = async (name: string, origin: string, accepted: string, query = '', tag = '') => {
        const headers = { 'accept-encoding': accepted, ...(tag !== '' && { 'if-none-match': tag }) }
        await requestOnce(origin, benchId(0), headers, query)
        sizes.push(sizeOf(name, accepted, await requestOnce(origin, benchId(0), headers, query)))
      }
      if (ours) {
        for (const view of views)
          for (const encoding of encodings) await measure(`hilos-bff, ${view}`, ours.origin, encoding, `?view=${view}`)
        const { etag = '' } = headersIn((await requestOnce(ours.origin, benchId(0), {})).head)
        await measure('hilos-bff, 304', ours.origin, 'identity', '', etag)
      }
      if (proxy) for (const encoding of ['identity', 'gzip']) await measure('Hilos, proxied', proxy.origin, encoding)
      return findingsOf(sizes)
    }),
}

function sizeOf(name: string, accepted: string, { status, head, headBytes, body }: RawAnswer): WireSize {
  const { 'content-encoding': encoding = 'identity' } = headersIn(head)
  const bodyBytes = status === 304 ? 0 : body.length
  return { name, accepted, encoding, headBytes, bodyBytes }
}

function findingsOf(sizes: readonly WireSize[]): Findings {
  return {
    title: 'Bytes of a response on the wire',
    notes: [
      'Bytes of HTTP, without those of TCP and TLS. The document of the bench has many repetitions, so real documents ' +
        'compress less well.',
    ],
    tables: [
      {
        columns: ['Response', 'accepted', 'encoding', 'headers', 'body', 'total'],
        rows: sizes.map(({ name, accepted, encoding, headBytes, bodyBytes }) => [
          name,
          accepted,
          encoding,
          ...[headBytes, bodyBytes, headBytes + bodyBytes].map((bytes) => formatNumber(bytes, 0)),
        ]),
      },
    ],
    goals: [],
    data: sizes,
  }
}
