import { type Profile, profiles } from './profile.ts'

/** The scope by which an access token grants a profile. */
export function scopeOf(profile: Profile): string {
  return `execution-contacts:${profile}`
}

/** The widest profile among the scopes; null when they grant none. Scopes are case-sensitive (RFC 6749 section 3.3). */
export function profileOf(scopes: readonly unknown[]): Profile | null {
  return profiles.findLast((profile) => scopes.includes(scopeOf(profile))) ?? null
}
