import { generateKeyPairSync, type KeyObject, randomUUID, sign as signatureOf } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** How the issuer responds to a request for its keys. */
export type IssuerMood = keyof typeof moods

export type Algorithm = 'RS256' | 'ES256' | 'EdDSA'
type Jwk = Readonly<Record<string, unknown>>

export interface SignOptions {
  /** RS256 by default. */
  readonly algorithm?: Algorithm
  /** Overrides `alg`, `kid` and `typ`, or adds to them. */
  readonly header?: Readonly<Record<string, unknown>>
  /** Replaces the claims, without any change. */
  readonly payload?: string
}

/** An issuer of access tokens on a free port of loopback. It signs with node:crypto, and the service verifies with jose. */
export interface Issuer {
  readonly issuer: string
  readonly jwksUrl: string
  readonly audience: string
  /** Returns a valid token of an agent for five minutes. `claims` override its claims; undefined removes one. */
  readonly sign: (claims?: Readonly<Record<string, unknown>>, options?: SignOptions) => string
  /** Signs with new keys from now on, and publishes them instead of the old ones. */
  readonly rotate: () => void
  /** Changes the published keys. */
  readonly publish: (change: (keys: readonly Jwk[]) => readonly Jwk[]) => void
  readonly setMood: (mood: IssuerMood) => void
  /** The number of requests it received. */
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
  // A valid set of keys with white space, one byte longer than the service reads.
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
    RS256: signer(nextRsaKeys()),
    ES256: signer(generateKeyPairSync('ec', { namedCurve: 'P-256' })),
    EdDSA: signer(generateKeyPairSync('ed25519')),
  }
}

const rsaKeys: ReturnType<typeof createRsaKeys>[] = []
let rsaKeysUsed = 0
const createRsaKeys = () => generateKeyPairSync('rsa', { modulusLength: 2048 })

/** Making RSA keys is slow, so four pairs are used in turn. Consecutive issuers and rotations have different ones. */
function nextRsaKeys() {
  const index = rsaKeysUsed++ % 4
  rsaKeys[index] ??= createRsaKeys()
  return rsaKeys[index]
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

/** The text, or the JSON of any other value, in base64url. */
export function encoded(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')
}
