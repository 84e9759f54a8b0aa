import { hash } from 'node:crypto'
import { dataHeaders } from './security-headers.ts'
import { createStaticHandler } from './static-answers.ts'

const style = 'body{font:1rem/1.5 system-ui;max-width:42rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}'
const ownOnly = `style-src 'sha256-${hash('sha256', style, 'base64')}'; img-src 'self'; base-uri 'none'; form-action 'none'`
const headers = { 'content-security-policy': `${dataHeaders['content-security-policy']}; ${ownOnly}` }

/**
 * Sends a page for people to read, with nothing but text, one style and the icon of `/favicon.ico`.
 * @param makeContent returns HTML, of which no part comes from a request
 */
export function createPageHandler(title: string, makeContent: () => string) {
  const makeBody = () => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${title} · hilos-bff</title>
<style>${style}</style>
<h1>${title}</h1>
${makeContent()}</html>
`
  return createStaticHandler({ type: 'text/html; charset=utf-8', makeBody, headers })
}

/** A list of links in HTML. The keys are paths relative to that of the page, the values say what is there. */
export function listOf(links: Readonly<Record<string, string>>): string {
  const items = Object.entries(links).map(
    ([path, text]) => `<li><a href="${path}">${path.replace(/.*\//, '')}</a> ${text}\n`,
  )
  return `<ul>\n${items.join('')}</ul>\n`
}
