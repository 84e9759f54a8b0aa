import t from 'tap'
import { otherBaseUrls } from '../../src/doctor/base-urls.ts'

const atHilos = ['https://api.hilos.io/channel/whatsapp', 'https://api.hilos.io/api'] as const
const unknown = 'https://ACCOUNT.api-us1.com/api/3/channel/whatsapp'

t.test('other base URLs, at Hilos, are its other one, and one that is not known here', async (t) => {
  t.strictSame(otherBaseUrls(atHilos[0]), { urls: [atHilos[1]], unknown })
  t.strictSame(otherBaseUrls(atHilos[1]), { urls: [atHilos[0]], unknown })
  t.strictSame(otherBaseUrls('https://api.hilos.io/wrong'), { urls: atHilos, unknown })
})

t.test('other base URLs, of an account at ActiveCampaign, are its own and those at Hilos', async (t) => {
  const own = 'https://acme.api-us1.com/api/3/channel/whatsapp'
  t.strictSame(otherBaseUrls(own), { urls: atHilos, unknown: null })
  t.strictSame(otherBaseUrls('https://acme.api-us1.com/api/3'), { urls: [own, ...atHilos], unknown: null })
})

t.test('other base URLs, of any other origin, never leave it', async (t) => {
  for (const origin of [
    'http://127.0.0.1:4000',
    'http://localhost',
    'https://proxy.example',
    'https://api.hilos.io:8443',
    'https://api.hilos.io.example',
    'https://xapi.hilos.io',
    'https://api.hilos.io.',
    'http://api.hilos.io',
    'https://acme.api-us1.com:8443',
    'https://acme.api-us1.com.example',
    'https://acme.xapi-us1.com',
    'https://api-us1.com',
    'https://deep.acme.api-us1.com',
    'http://acme.api-us1.com',
  ]) {
    const paths = ['/channel/whatsapp', '/api', '/api/3/channel/whatsapp'].map((path) => `${origin}${path}`)
    t.strictSame(otherBaseUrls(`${origin}/wrong`), { urls: paths, unknown: null }, origin)
    t.strictSame(otherBaseUrls(`${origin}/api`).urls, [paths[0], paths[2]], origin)
  }
})
