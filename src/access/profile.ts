/** How much of an execution contact somebody may see, the least first; each holds what the one before it has. */
export const profiles = ['viewer', 'agent', 'full'] as const
export type Profile = (typeof profiles)[number]

/** Whether the one shows more than the other. */
export function isWider(profile: Profile, than: Profile): boolean {
  return profiles.indexOf(profile) > profiles.indexOf(than)
}
