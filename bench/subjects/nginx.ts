import { existsSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { getuid } from 'node:process'
import { fillIn, peersFolder } from '../peers/fill.ts'
import { freePort } from '../processes.ts'
import { isInstalled } from './installed.ts'
import { startServer } from './start-server.ts'
import type { SubjectKind } from './subject.ts'

const njsModule = '/usr/lib/nginx/modules/ngx_http_js_module.so'

interface NginxOptions {
  readonly name: string
  /** Whether it serves the whole document, or the fields that njs selects. */
  readonly serves: 'full' | 'trimmed'
  /** Whether it writes one JSON line for each request to a file. */
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
      // Without root, the workers could not use the scratch folder.
      const asRoot = getuid?.() === 0 ? ['-g', 'user root;'] : []
      return await startServer(name, port, {
        command: 'nginx',
        args: ['-e', join(folder, 'error.log'), '-c', config, ...asRoot],
        core: cores.server,
      })
    },
  }
}
