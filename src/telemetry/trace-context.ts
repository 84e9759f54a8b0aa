/** Version 00 ends after the flags; later ones may go on, and only what 00 has is read of them. */
const wellFormed = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(-[^,]*)?$/

/**
 * The trace that a request is part of.
 * @param traceparent value of the header (https://www.w3.org/TR/trace-context/#traceparent-header)
 * @returns 32 hexadecimal digits in lower case; undefined for a header that is not there, not well-formed, or sent twice
 */
export function traceIdOf(traceparent: unknown): string | undefined {
  const [, version, traceId, more] = typeof traceparent === 'string' ? (wellFormed.exec(traceparent) ?? []) : []
  return version === '00' && more !== undefined ? undefined : traceId
}
