import { hash } from 'node:crypto'
import { inspect } from 'node:util'

const shown = '[redacted]'

/** A text that must not be shown. Printing, serializing or inspecting it gives `[redacted]`. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself. Call this only where the text is used, and do not keep the result. */
  reveal(): string {
    return this.#text
  }

  /** The first 8 hexadecimal digits of its SHA-256. They identify a token in the log. */
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
