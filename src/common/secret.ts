import { createHmac, hash } from 'node:crypto'
import { inspect } from 'node:util'

const shown = '[redacted]'

/** A text that must not be shown. Printing, serializing or inspecting it gives `[redacted]`. */
export class Secret {
  readonly #text: string
  #fingerprint: string | null = null

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself. Call this only where the text is used, and do not keep the result. */
  reveal(): string {
    return this.#text
  }

  /** The first 8 hexadecimal digits of its SHA-256. They identify a token in the log. */
  fingerprint(): string {
    this.#fingerprint ??= hash('sha256', this.#text).slice(0, 8)
    return this.#fingerprint
  }

  /**
   * A key for one use, so that what one use reveals says nothing about another: HMAC-SHA-256 of the use, in hexadecimal.
   * @param use what the key is for
   */
  derived(use: string): Secret {
    return new Secret(createHmac('sha256', this.#text).update(use).digest('hex'))
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
