import { Secret } from '../common/secret.ts'
import { isLoopback } from './checks.ts'
import type { Environment } from './settings.ts'

/** The setting with which Node.js uses the proxies in the environment. */
export const proxySwitch = 'NODE_USE_ENV_PROXY'

/** The proxy in the environment, used or not. The lower-case name counts first, as in Node.js and curl. */
export function httpsProxyIn(env: Environment): string | undefined {
  return [env.https_proxy, env.HTTPS_PROXY].find((value) => value?.trim())
}

/** The problems of the proxy, if it is used. */
export function proxyProblems(env: Environment): string[] {
  const url = URL.parse(httpsProxyIn(env) ?? 'http://none')
  const isUsable = url !== null && /^https?:$/.test(url.protocol)
  return isUsable || env[proxySwitch] !== '1' ? [] : ['HTTPS_PROXY: must be an http or https URL to be used']
}

/**
 * The proxy for requests to an address; null for none. There is none unless the environment asks for it, for hosts in
 * `NO_PROXY`, and for this machine. A proxy never gets plain http, which is only for this machine.
 */
export function proxyFor(address: string, env: Environment): Secret | null {
  const url = new URL(address)
  const proxy = httpsProxyIn(env)
  if (env[proxySwitch] !== '1' || proxy === undefined || isLoopback(url.hostname)) return null
  return isExempt(url, env.no_proxy ?? env.NO_PROXY ?? '') ? null : new Secret(proxy)
}

/** @param list `*` for every host, or hosts with their subdomains, each with a port or for all ports */
function isExempt({ hostname, port }: URL, list: string): boolean {
  // The dot of an absolute name of DNS does not count.
  const name = hostname.replace(/\.$/, '')
  const ownPort = port || '443'
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      const [, host = '', onlyPort = ownPort] = /^(?:\*?\.)?(.+?)(?:(?<=\w)\.)?(?::(\d+))?$/.exec(entry) ?? []
      const isHost = host === '*' || name === host || (host !== '' && name.endsWith(`.${host}`))
      return isHost && onlyPort === ownPort
    })
}
