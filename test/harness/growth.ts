/** Work that is shorter than this is repeated, because short times vary by chance. */
const minTimeMs = 3
const attempts = 5

/**
 * Says whether work takes time in proportion to its input. With an input four times as large, such work takes four times
 * as long, and quadratic work takes sixteen times as long. The time of other processes does not
 * count, and one attempt of several is enough, because a busy machine can only make work look slow.
 */
export function isLinear(work: (size: number) => void, size: number): boolean {
  let repeats = 1
  while (processorMs(() => work(size), repeats) < minTimeMs) repeats *= 2
  const timeOf = (each: number) => processorMs(() => work(each), repeats)
  return Array.from({ length: attempts }).some(() => timeOf(4 * size) < 8 * timeOf(size))
}

function processorMs(work: () => void, repeats: number): number {
  const before = process.cpuUsage()
  for (let run = 0; run < repeats; run += 1) work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
