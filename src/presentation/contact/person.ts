import type { HilosUser } from '../../upstream/document/hilos-document.ts'

/** First and last name, or the one that is there; null without either. */
export function nameOf({ first_name, last_name }: HilosUser): string | null {
  return [first_name, last_name].filter(Boolean).join(' ') || null
}
