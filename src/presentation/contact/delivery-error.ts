export const categories = ['window_closed', 'undeliverable', 'template', 'media', 'rate_limited', 'other'] as const
export type Category = (typeof categories)[number]

/**
 * The error codes of WhatsApp. Those of the Cloud API have six digits, apart from 4, 368 and 80007
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes). Those of the On-Premises API, which some
 * providers still send, have three or four (https://developers.facebook.com/docs/whatsapp/on-premises/errors).
 */
const codesOf: Readonly<Record<Exclude<Category, 'other'>, string>> = {
  window_closed: '131047 470',
  undeliverable: '131021 131026 131030 131050 130472 130497 472 1002 1006 1013 1021 1026',
  template: `132000 132001 132005 132007 132012 132015 132016 132068 132069
    2000 2001 2002 2003 2004 2005 2006 2012 2060 2061`,
  media: '131052 131053',
  rate_limited: '4 80007 130429 131048 131049 131056 429 471 1015',
}
const categoryOfCode: ReadonlyMap<string, Category> = new Map(
  Object.entries(codesOf).flatMap(([category, codes]) =>
    codes.split(/\s+/).map((code) => [code, category as Category] as const),
  ),
)

/** Behind a word for it, before a mark or the end, or with the six digits of the Cloud API. */
const leadingCode =
  /^\W*(?:(?:(?:error|code)\W*)+\d{1,6}(?![\d.]*\d|\w)|\d{1,6}(?=\s*(?:$|[:;,.)\]|](?!\d)|\s[-–—]\s))|\d{6}(?=\s))/i

/**
 * The error code in the field for it. Some providers put their text behind it, as in `131047: Re-engagement message` and
 * `(#131047) Re-engagement message`. A text without a code stays as it is, also one that begins with another number, as in
 * `24 hours have passed`; an empty one is none.
 */
export function codeOf(text: string | null): string | null {
  const [found = ''] = leadingCode.exec(text ?? '') ?? []
  return /\d+$/.exec(found)?.[0] ?? (text || null)
}

export function categoryOf(code: string): Category {
  return categoryOfCode.get(code) ?? 'other'
}
