import { generateKeyPairSync, type KeyObject, randomUUID, sign as signatureOf } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** How the issuer answers when asked for its keys. */
export type IssuerMood = keyof typeof moods

export type Algorithm = 'RS256' | 'ES256' | 'EdDSA'
type Jwk = Readonly<Record<string, unknown>>

export interface SignOptions {
  /** RS256 by default. */
  readonly algorithm?: Algorithm
  /** Added to, or instead of, `alg`, `kid` and `typ`. */
  readonly header?: Readonly<Record<string, unknown>>
  /** Instead of the claims, as it is. */
  readonly payload?: string
}

/** An issuer of access tokens on a free port of loopback, signing with node:crypto what jose has to verify. */
export interface Issuer {
  readonly issuer: string
  readonly jwksUrl: string
  readonly audience: string
  /** A good token of an agent for five minutes, with these claims instead; undefined leaves one out. */
  readonly sign: (claims?: Readonly<Record<string, unknown>>, options?: SignOptions) => string
  /** Signs with new keys from now on, and publishes them instead of the old ones. */
  readonly rotate: () => void
  /** Publishes something else from now on. */
  readonly publish: (change: (keys: readonly Jwk[]) => readonly Jwk[]) => void
  readonly setMood: (mood: IssuerMood) => void
  /** How often it was asked, for whatever. */
  readonly requests: () => number
}

const moods = {
  well: (response: ServerResponse, keySet: string) =>
    response.setHeader('content-type', 'application/json').end(keySet),
  down: (response: ServerResponse) => response.writeHead(503).end('{"keys":[]}'),
  hanging: () => {},
  hangingInTheBody: (response: ServerResponse, keySet: string) => response.write(keySet.slice(0, 20)),
  breakingOff: (response: ServerResponse) => response.socket?.destroy(),
  redirecting: (response: ServerResponse) => response.writeHead(302, { location: '/elsewhere' }).end(),
  // Valid JSON, were it read: a set of keys, and white space up to one byte more than is taken.
  tooLarge: (response: ServerResponse, keySet: string) => response.end(keySet.padEnd(1024 * 1024 + 1)),
  largest: (response: ServerResponse, keySet: string) => response.end(keySet.padEnd(1024 * 1024)),
  rubbish: (response: ServerResponse) => response.end('<html>secret-canary</html>'),
  noKeySet: (response: ServerResponse) => response.end('{"keys":"secret-canary"}'),
  null: (response: ServerResponse) => response.end('null'),
} as const

export async function createIssuer(t: Test): Promise<Issuer> {
  let signers = createSigners()
  let published = publicKeys(signers)
  let mood: IssuerMood = 'well'
  let requests = 0

  const server = createServer((_request, response) => {
    requests += 1
    moods[mood](response, JSON.stringify({ keys: published }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })

  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const audience = 'https://hilos-bff.example'
  return {
    issuer,
    jwksUrl: `${issuer}/keys`,
    audience,
    sign: (claims, { algorithm = 'RS256', header, payload } = {}) => {
      const { key, kid } = signers[algorithm]
      const exp = Math.floor(Date.now() / 1000) + 300
      const all = { iss: issuer, aud: audience, sub: 'support-web', scope: 'execution-contacts:agent', exp, ...claims }
      const signed = `${encoded({ alg: algorithm, kid, typ: 'at+jwt', ...header })}.${encoded(payload ?? all)}`
      const options = algorithm === 'ES256' ? ({ key, dsaEncoding: 'ieee-p1363' } as const) : key
      return `${signed}.${signatureOf(digestOf(algorithm), Buffer.from(signed), options).toString('base64url')}`
    },
    rotate: () => {
      signers = createSigners()
      published = publicKeys(signers)
    },
    publish: (change) => {
      published = change(publicKeys(signers))
    },
    setMood: (next) => {
      mood = next
    },
    requests: () => requests,
  }
}

interface Signer {
  readonly key: KeyObject
  readonly kid: string
  readonly publicKey: KeyObject
}

function createSigners(): Record<Algorithm, Signer> {
  const signer = ({ privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }) => ({
    key: privateKey,
    kid: randomUUID(),
    publicKey,
  })
  return {
    RS256: signer(generateKeyPairSync('rsa', { modulusLength: 2048 })),
    ES256: signer(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    EdDSA: signer(generateKeyPairSync('ed25519')),
  }
}

function publicKeys(signers: Record<Algorithm, Signer>): readonly Jwk[] {
  return Object.entries(signers).map(([alg, { publicKey, kid }]) => ({
    ...publicKey.export({ format: 'jwk' }),
    alg,
    kid,
    use: 'sig',
  }))
}

function digestOf(algorithm: Algorithm): string | null {
  return algorithm === 'EdDSA' ? null : 'sha256'
}

/** JSON in base64url; a text is taken as it is. */
export function encoded(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}
