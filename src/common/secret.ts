import { hash } from 'node:crypto'
import { inspect } from 'node:util'

const shown = '[redacted]'

/** A text that must not be seen: whatever prints, serializes or inspects it gets `[redacted]`. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself. Call it only in the line that sends or uses it, and keep no copy. */
  reveal(): string {
    return this.#text
  }

  /** The first 8 hexadecimal digits of its SHA-256: for logs, to tell one token from another. */
  fingerprint(): string {
    return hash('sha256', this.#text).slice(0, 8)
  }

  toString(): string {
    return shown
  }

  toJSON(): string {
    return shown
  }

  [inspect.custom](): string {
    return shown
  }
}
