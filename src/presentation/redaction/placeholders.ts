/** What stands for a text that is withheld where there has to be one. */
export const withheldText = '[withheld]'
/** What stands for the place of a file. */
export const filePlaceholder = '[file]'
/** What stands for what a scrubber finds. */
export const scrubbed = { id: '[id]', email: '[email]', phone: '[phone]' } as const

export const anyScrubbed = /\[(?:id|email|phone)\]/g
