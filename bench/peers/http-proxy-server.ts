import { argv } from 'node:process'
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'

/** The document as Hilos sends it, with the key put in, and nothing remembered. Arguments: port, origin, token. */
const [, , port, upstream = '', token] = argv
const app = Fastify()
await app.register(httpProxy, {
  upstream,
  prefix: '/execution-contacts',
  rewritePrefix: '/channel/whatsapp/flow-execution-contact',
  replyOptions: {
    rewriteRequestHeaders: (_request, { authorization: _, cookie: __, ...headers }) => ({
      ...headers,
      authorization: `Token ${token}`,
    }),
  },
})
await app.listen({ host: '127.0.0.1', port: Number(port) })
