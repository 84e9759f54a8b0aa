/** The samples of a scrape in the text format of Prometheus. The key is the name with its labels. */
export function samplesOf(exposition: string): ReadonlyMap<string, number> {
  const lines = exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}
