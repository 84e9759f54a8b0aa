/** The members of a field value that is a list (RFC 9110 section 5.6.1). A comma between quotes belongs to a member. */
export function membersOf(value: string): string[] {
  return (value.match(/(?:[^,"]|"[^"]*")+/g) ?? []).map((member) => member.trim())
}
