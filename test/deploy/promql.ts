/** What a PromQL expression asks for. */
export interface Query {
  readonly selectors: readonly Selector[]
  /** Labels it groups by. */
  readonly grouping: readonly string[]
}

export interface Selector {
  readonly metric: string
  readonly matchers: readonly Matcher[]
}

export interface Matcher {
  readonly label: string
  readonly operator: string
  readonly value: string
}

const functions = 'absent changes count histogram_quantile increase max max_over_time min rate scalar sum vector'.split(
  ' ',
)
const words = ['and', 'or', 'unless', 'offset', 'by']

/**
 * Reads as much of PromQL as the alerts and the dashboard use.
 * @throws Error on a metric without matchers and on any other word it does not know, rather than overlook it
 */
export function queryOf(expression: string): Query {
  const selectors: Selector[] = []
  const grouping: string[] = []
  const rest = expression
    .replace(/([a-zA-Z_:][\w:]*)\{([^}]*)\}/g, (_all, metric: string, inside: string) => {
      selectors.push({ metric, matchers: matchersIn(inside) })
      return ''
    })
    .replace(/\bby \(([\w, ]+)\)/g, (_all, labels: string) => {
      grouping.push(...labels.split(', '))
      return ''
    })
    .replace(/\[[^\]]*\]|\b\d[\w.]*/g, '')
  for (const [word] of rest.matchAll(/[a-zA-Z_]\w*/g))
    if (!functions.includes(word) && !words.includes(word)) throw new Error(`${word} in ${expression}`)
  return { selectors, grouping }
}

function matchersIn(inside: string): Matcher[] {
  return inside.split(/, (?=\w+[=!])/).map((text) => {
    const [, label, operator, value] = /^(\w+)(=|!=|=~|!~)"([^"]*)"$/.exec(text) ?? []
    if (label === undefined || operator === undefined || value === undefined) throw new Error(`${text} is no matcher`)
    return { label, operator, value }
  })
}

/** The labels that a template such as `{{ $labels.instance }}` or a legend such as `{{instance}}` shows. */
export function labelsShownIn(text: string): string[] {
  return [...text.matchAll(/\{\{ ?(?:\$labels\.)?([a-z]\w*) ?\}\}/g)].map(([, label]) => label ?? '')
}
