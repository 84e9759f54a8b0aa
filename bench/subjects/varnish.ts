import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { fillIn } from '../peers/fill.ts'
import { freePort, startProgram } from '../processes.ts'
import { isInstalled } from './installed.ts'
import { startServer } from './start-server.ts'
import type { SubjectKind } from './subject.ts'

export const varnish = varnishWith('Varnish, full', false)
export const varnishLogged = varnishWith('Varnish, full, varnishncsa', true)

function varnishWith(name: string, logs: boolean): SubjectKind {
  return {
    name,
    missing: () => (isInstalled('varnishd') ? null : 'Varnish is not installed (Debian: varnish)'),
    start: async ({ cores, upstream, scratch }) => {
      const folder = mkdtempSync(join(scratch, 'varnish-'))
      const port = await freePort()
      const values = { upstreamPort: upstream.port, token: upstream.token }
      const vcl = fillIn('full.vcl', join(folder, 'full.vcl'), values)
      const listen = ['-F', '-n', folder, '-a', `127.0.0.1:${port}`, '-T', 'none', '-j', 'none', '-f', vcl]
      const subject = await startServer(name, port, {
        command: 'varnishd',
        // With gzip, it would store compressed bodies and decompress them for callers without Accept-Encoding.
        args: [...listen, '-s', 'malloc,4g', '-p', 'http_gzip_support=off', '-p', 'default_grace=0'],
        core: cores.server,
      })
      if (!logs) return subject

      const log = startProgram({
        command: 'varnishncsa',
        args: ['-n', folder, '-w', join(folder, 'access.log')],
        core: cores.server,
      })
      const stop = async () => {
        await log.stop()
        await subject.stop()
      }
      return { ...subject, pids: [...subject.pids, log.pid], stop }
    },
  }
}
