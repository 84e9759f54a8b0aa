import { existsSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { fillIn, peersFolder } from '../peers/fill.ts'
import { freePort, startProgram } from '../processes.ts'
import { untilAnswered } from '../until-answered.ts'
import { isInstalled } from './installed.ts'
import type { SubjectKind } from './subject.ts'

const njsModule = '/usr/lib/nginx/modules/ngx_http_js_module.so'

interface NginxOptions {
  readonly name: string
  /** The document as it is, or trimmed by njs. */
  readonly serves: 'full' | 'trimmed'
  /** One JSON line a request, into a file. */
  readonly logs: boolean
}

export const nginxFull = nginxWith({ name: 'nginx proxy_cache, full', serves: 'full', logs: false })
export const nginxFullLogged = nginxWith({ name: 'nginx proxy_cache, full, log', serves: 'full', logs: true })
export const nginxTrimmed = nginxWith({ name: 'nginx + njs, trimmed', serves: 'trimmed', logs: false })
export const nginxTrimmedLogged = nginxWith({ name: 'nginx + njs, trimmed, log', serves: 'trimmed', logs: true })

function nginxWith({ name, serves, logs }: NginxOptions): SubjectKind {
  return {
    name,
    missing: () => {
      if (!isInstalled('nginx')) return 'nginx is not installed (Debian: nginx)'
      const lacksNjs = serves === 'trimmed' && !existsSync(njsModule)
      return lacksNjs ? 'njs is not installed (Debian: libnginx-mod-http-js)' : null
    },
    start: async ({ cores, upstream, scratch }) => {
      const folder = mkdtempSync(join(scratch, 'nginx-'))
      const port = await freePort()
      const config = fillIn(`nginx-${serves}.conf`, join(folder, 'nginx.conf'), {
        folder,
        port,
        upstreamPort: upstream.port,
        token: upstream.token,
        accessLog: logs ? `${folder}/access.log json` : 'off',
        module: njsModule,
        peers: peersFolder,
      })
      // Its workers would give up the rights of root, and with them the scratch folder.
      const asRoot = getuid?.() === 0 ? ['-g', 'user root;'] : []
      const running = startProgram({
        command: 'nginx',
        args: ['-e', join(folder, 'error.log'), '-c', config, ...asRoot],
        core: cores.server,
      })
      const origin = `http://127.0.0.1:${port}`
      const startedInMs = await untilAnswered(origin, running)
      return { name, origin, pids: [running.pid], startedInMs, stop: running.stop }
    },
  }
}
