import { isIPv4, isIPv6 } from 'node:net'

/**
 * Returns the one spelling of a host name or an IP address, for comparing: in lower case, without a port, a zone (RFC 4007
 * section 11) and a dot at the end. An IPv4 address becomes the IPv6 address that stands for it (RFC 4291 section 2.5.5.2),
 * because that is how a socket for both names it. Null for a text that is neither.
 * @param host as in the header `Host`, or an IPv6 address without brackets
 */
export function canonicalHost(host: string): string | null {
  const url = URL.parse(`http://${isIPv6(host) ? `[${host.replace(/%.*/, '')}]` : host}`)
  if (url === null) return null
  const name = url.hostname.replace(/\.$/, '')
  return isIPv4(name) ? canonicalHost(`::ffff:${name}`) : name
}
