import { isIPv6 } from 'node:net'
import { Secret } from '../common/secret.ts'
import { isHost } from './checks.ts'

/** The server that `REDIS_URL` names, and who signs in. */
export interface RedisUrl {
  /**
   * One server; or, with the name of a primary, sentinels that tell where it is, and ask for no password. IPv6 addresses
   * have no brackets.
   */
  readonly hosts: readonly { readonly host: string; readonly port: number }[]
  readonly sentinelName: string | null
  /** Null for the user `default`. */
  readonly username: string | null
  readonly password: Secret | null
  readonly database: number
  readonly tls: boolean
}

const ports = { server: '6379', sentinel: '26379' }
const urlForm = /^(rediss?)(\+sentinel)?:\/\/(?:([^\s/?#@:]*):([^\s/?#@]+)@)?([^\s/?#@]+?)(?:\/([^\s?#@]*))?$/i
const hostForm = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i
/** Sentinels allow these characters. */
const sentinelPath = /^([\w.-]{1,64})(?:\/(\d{1,4}))?$/
const serverPath = /^()(\d{1,4})?$/

/** Parses the URL; null for any other form. `new URL` would put the text, with its password, into the error. */
export function parseRedisUrl(text: string): RedisUrl | null {
  const [, scheme, isSentinel, user = '', password, hostList = '', path = ''] = urlForm.exec(text) ?? []
  const parts = (isSentinel ? sentinelPath : serverPath).exec(path)
  const hosts = hostList.split(',').flatMap((each) => hostIn(each, isSentinel ? ports.sentinel : ports.server) ?? [])
  const credentials = [user, password ?? ''].map(decoded)
  const isWhole = hosts.length === hostList.split(',').length && (isSentinel !== undefined || hosts.length === 1)
  if (parts === null || !isWhole || credentials.includes(null)) return null
  const [username, secret] = credentials
  return {
    hosts,
    sentinelName: parts[1] || null,
    username: username || null,
    password: secret ? new Secret(secret) : null,
    database: Number(parts[2] ?? 0),
    tls: scheme?.toLowerCase() === 'rediss',
  }
}

function hostIn(text: string, usualPort: string) {
  const [, address, name, port = usualPort] = hostForm.exec(text) ?? []
  const host = address ?? name ?? ''
  const isWhole = address === undefined ? isHost(host) : isIPv6(host)
  return isWhole && Number(port) >= 1 && Number(port) <= 65_535 ? { host, port: Number(port) } : null
}

/** Null for a text that is not percent-encoded UTF-8. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
