/** The samples of an exposition in the text format of Prometheus, by name and labels as they stand there. */
export function samplesOf(exposition: string): ReadonlyMap<string, number> {
  const lines = exposition.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}
