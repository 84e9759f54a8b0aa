/** How much of an execution contact a caller may see, from the least to the most. Each profile includes the previous one. */
export const profiles = ['viewer', 'agent', 'full'] as const
export type Profile = (typeof profiles)[number]

/** Whether the first profile shows more than the second. */
export function isWider(profile: Profile, than: Profile): boolean {
  return profiles.indexOf(profile) > profiles.indexOf(than)
}

/** The scope with which an access token grants a profile. */
export function scopeOf(profile: Profile): string {
  return `execution-contacts:${profile}`
}

/** The widest profile that the scopes grant; null for none. Scopes are case-sensitive (RFC 6749 section 3.3). */
export function profileOf(scopes: readonly unknown[]): Profile | null {
  return profiles.findLast((profile) => scopes.includes(scopeOf(profile))) ?? null
}
