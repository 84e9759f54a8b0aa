import { commandOf, unknownArguments, usage } from './cli.ts'
import { killIfReadingHangs } from './common/bounded-file.ts'

process.once('exit', () => killIfReadingHangs(process))

const command = commandOf(process.argv.slice(2))
switch (command) {
  case 'serve': {
    // Before the modules load, which takes a while: the kernel drops a signal to process 1 of a container without a handler.
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, endUnlessHandled)
    const { serve } = await import('./serve.ts')
    await serve()
    break
  }
  case 'check':
  case 'check as JSON': {
    const { examine } = await import('./doctor/examine.ts')
    const { hasNoFailure, jsonOf, textOf } = await import('./doctor/findings.ts')
    const findings = await examine(process.env, process.constrainedMemory())
    const status = hasNoFailure(findings) ? 0 : 1
    process.stdout.write(command === 'check' ? textOf(findings) : jsonOf(findings), () => process.exit(status))
    break
  }
  case 'keygen': {
    const { keygen } = await import('./setup/keygen.ts')
    const terminal = { input: process.stdin, output: process.stderr }
    const { status, text } = await keygen(process.argv.slice(3), terminal, process.getuid?.())
    process.exitCode = status
    process[status === 0 ? 'stdout' : 'stderr'].write(text)
    break
  }
  case 'help':
    process.stdout.write(usage)
    break
  case 'unknown':
    process.stderr.write(unknownArguments)
    process.exitCode = 1
}

/** Ends the process, unless the service has begun to handle the signal itself. */
function endUnlessHandled(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) === 1) process.exit(0)
}
