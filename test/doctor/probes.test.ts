import t from 'tap'
import { otherBaseUrls } from '../../src/doctor/probes.ts'
import { checkRows, difference } from '../harness/table.ts'

const atHilos = ['https://api.hilos.io/channel/whatsapp', 'https://api.hilos.io/api'] as const
const unknown = 'https://ACCOUNT.api-us1.com/api/3/channel/whatsapp'

t.test('the other base URLs of Hilos are the documented ones, of which one is not known', async (t) => {
  t.strictSame(otherBaseUrls(atHilos[0]), { urls: [atHilos[1]], unknown })
  t.strictSame(otherBaseUrls(atHilos[1]), { urls: [atHilos[0]], unknown })
  t.strictSame(otherBaseUrls('https://api.hilos.io/wrong'), { urls: atHilos, unknown })
})

t.test('the other base URLs of an account at ActiveCampaign are its own and those of Hilos', async (t) => {
  const own = 'https://acme.api-us1.com/api/3/channel/whatsapp'
  t.strictSame(otherBaseUrls(own), { urls: atHilos, unknown: null })
  t.strictSame(otherBaseUrls('https://acme.api-us1.com/api/3'), { urls: [own, ...atHilos], unknown: null })
})

t.test('the other base URLs of any other origin have the same origin', async (t) => {
  const ownOrigins = ['http://127.0.0.1:4000', 'http://localhost', 'https://proxy.example']
  const likeHilos = ['https://api.hilos.io:8443', 'https://api.hilos.io.example', 'https://xapi.hilos.io']
  const likeActiveCampaign = [
    ...['https://acme.api-us1.com:8443', 'https://acme.api-us1.com.example', 'https://acme.xapi-us1.com'],
    ...['https://api-us1.com', 'https://deep.acme.api-us1.com', 'http://acme.api-us1.com'],
  ]
  checkRows(
    t,
    [...ownOrigins, ...likeHilos, 'https://api.hilos.io.', 'http://api.hilos.io', ...likeActiveCampaign],
    (origin) => {
      const paths = ['/channel/whatsapp', '/api', '/api/3/channel/whatsapp'].map((path) => `${origin}${path}`)
      return difference(
        [otherBaseUrls(`${origin}/wrong`), otherBaseUrls(`${origin}/api`).urls],
        [{ urls: paths, unknown: null }, [paths[0], paths[2]]],
      )
    },
    'no URL leaves the origin',
  )
})
