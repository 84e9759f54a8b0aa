/** Where accounts of Hilos itself are asked, and, behind any account's host, those of ActiveCampaign. */
const hilosOrigin = 'https://api.hilos.io'
const hilosPaths = ['/channel/whatsapp', '/api'] as const
const accountPath = '/api/3/channel/whatsapp'
const accountOrigin = /^https:\/\/[a-z0-9-]+\.api-us1\.com$/

export interface OtherBaseUrls {
  /** To be tried, in this order. */
  readonly urls: readonly string[]
  /** A documented one that cannot be tried, because a part of it is not known; null for none. */
  readonly unknown: string | null
}

/**
 * The documented base URLs besides the configured one. The token goes to the configured origin and nowhere else, except
 * between the documented hosts, which are Hilos's own.
 */
export function otherBaseUrls(configured: string): OtherBaseUrls {
  const { origin } = new URL(configured)
  const atHilos = hilosPaths.map((path) => `${hilosOrigin}${path}`)
  const isOther = (url: string) => url !== configured
  if (origin === hilosOrigin)
    return { urls: atHilos.filter(isOther), unknown: `https://ACCOUNT.api-us1.com${accountPath}` }
  const here = accountOrigin.test(origin)
    ? [`${origin}${accountPath}`, ...atHilos]
    : [...hilosPaths, accountPath].map((path) => `${origin}${path}`)
  return { urls: here.filter(isOther), unknown: null }
}
