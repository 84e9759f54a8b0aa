/**
 * The countries in which one phone number is in use in several forms, beyond the prefixes that are dialled before it: a
 * digit that only WhatsApp or only mobile numbers have, or a reform after which old forms live on in address books.
 */
export interface NumberingPlan {
  /** The calling code. */
  readonly code: string
  /** The number without the calling code, in any of its forms. */
  readonly national: RegExp
  /** All its forms, as replacements for `national`. */
  readonly forms: readonly string[]
  /** The digits that may stand before one of these forms, besides the trunk prefixes of all countries. */
  readonly prefixes: readonly string[]
}

export const numberingPlans: readonly NumberingPlan[] = [
  // Mexico: WhatsApp puts a 1 before mobile numbers, as it was dialled from abroad until 2019.
  { code: '52', national: /^1?(\d{10})$/, forms: ['$1'], prefixes: ['1'] },
  // Argentina: mobile numbers have a 9 after the calling code. At home, they have a 15 after the area code of 2 to 4 digits.
  { code: '54', national: /^9?(11)(?:15)?(\d{8})$/, forms: ['$1$2', '$115$2', '15$2'], prefixes: ['9'] },
  { code: '54', national: /^9?(\d{3})(?:15)?(\d{7})$/, forms: ['$1$2', '$115$2', '15$2'], prefixes: ['9'] },
  { code: '54', national: /^9?(\d{4})(?:15)?(\d{6})$/, forms: ['$1$2', '$115$2', '15$2'], prefixes: ['9'] },
  // Brazil: mobile numbers got a ninth digit from 2012 to 2016. WhatsApp has many of them without it.
  { code: '55', national: /^(\d\d)9?([6-9]\d{7})$/, forms: ['$1$2', '$19$2'], prefixes: [] },
  // Benin: all numbers got 01 before them on 30 November 2024.
  { code: '229', national: /^(?:01)?(\d{8})$/, forms: ['$1', '01$1'], prefixes: [] },
  // Ivory Coast: all numbers got two digits of their operator before them on 31 January 2021.
  {
    code: '225',
    national: /^(?:0[157]|2[157])?(\d{8})$/,
    forms: ['$1', '01$1', '05$1', '07$1', '21$1', '25$1', '27$1'],
    prefixes: [],
  },
]
