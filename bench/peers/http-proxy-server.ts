import { argv } from 'node:process'
import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'

// Adds the token to requests, and passes on the documents of Hilos without a cache. Arguments: port, origin, token.
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
