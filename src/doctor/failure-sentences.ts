import type { Failure } from '../failures/failure.ts'

/**
 * Explains in one sentence why a call to Hilos failed, and what to do about it. It uses only the code and the facts of the
 * failure, which contain nothing from outside.
 */
export function sentenceOf(failure: Failure, baseUrl: string): string {
  const { upstreamStatus: status, tokenFingerprint, reason } = failure.facts
  const { host, hostname } = new URL(baseUrl)
  switch (failure.code) {
    case 'upstream_unauthorized':
    case 'upstream_forbidden':
      return `Hilos refuses the token with the fingerprint ${tokenFingerprint} (status ${status}): it is revoked, mistyped or of another account, so replace it with a valid one.`
    case 'upstream_misconfigured':
      return `The answer at ${baseUrl} is not one of Hilos (status ${status}), so HILOS_BASE_URL is wrong, or a gateway, a proxy or a login page answers instead.`
    case 'upstream_redirect':
      return `${host} answers with a redirect (status ${status}), which is never followed because the token would go with it: set HILOS_BASE_URL to the address at which Hilos answers itself.`
    case 'upstream_untrusted':
      return untrustedSentence(String(reason), host)
    case 'upstream_timeout':
      return timeoutSentence(failure, host)
    case 'upstream_rate_limited':
      return `Hilos asks for a pause (status ${status}): wait ${failure.retryAfterSeconds} s and check again, and if this persists, lower HILOS_MAX_RPS here and in all other programs that use the account.`
    case 'upstream_unavailable':
      return status === undefined
        ? unreachableSentence(String(reason), host, hostname)
        : `Hilos did not take the request or is out of service (status ${status}): check again in a minute, and if this persists, ask Hilos.`
    case 'upstream_error':
      return `Hilos answers with an error (status ${status}): check again in a minute, and if this persists, ask Hilos.`
    default:
      return `${host} answers, but not as Hilos does (${reason ?? failure.code}): check HILOS_BASE_URL, and whether a proxy or a login page answers instead.`
  }
}

function untrustedSentence(reason: string, host: string): string {
  if (reason === 'CERT_HAS_EXPIRED')
    return `The certificate of ${host} has expired (${reason}): renew it, or correct the clock of this machine.`
  if (reason === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `The certificate at ${host} is another host’s (${reason}): correct HILOS_BASE_URL, or the proxy in between.`
  if (/^(EPROTO|ERR_SSL)/.test(reason))
    return `There is no usable TLS at ${host} (${reason}): correct the scheme or the port of HILOS_BASE_URL.`
  return `The certificate of ${host} is not trusted (${reason}), so the token was not sent: if your own proxy terminates TLS, name its authority in NODE_EXTRA_CA_CERTS, otherwise correct HILOS_BASE_URL.`
}

function timeoutSentence({ facts: { reason, timeoutMs } }: Failure, host: string): string {
  if (timeoutMs === undefined)
    return `No connection to ${host} could be opened in time (${reason}): allow it in the firewall, or set HTTPS_PROXY and NODE_USE_ENV_PROXY=1 if there is a proxy.`
  const what = reason === 'in the middle of the body' ? 'No whole answer' : 'No answer'
  return `${what} came from ${host} within ${timeoutMs} ms: check again, and if this persists, raise HILOS_TIMEOUT_MS or ask Hilos.`
}

function unreachableSentence(reason: string, host: string, hostname: string): string {
  switch (reason) {
    case 'ENOTFOUND':
      return `There is no host named ${hostname} (${reason}): correct HILOS_BASE_URL, or the DNS of this machine.`
    case 'EAI_AGAIN':
      return `The name ${hostname} cannot be looked up now (${reason}): the DNS of this machine does not answer, so repair that first.`
    case 'ECONNREFUSED':
      return `Nothing listens at ${host} (${reason}): correct the host or the port of HILOS_BASE_URL, or start the service that should listen there.`
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
      return `${host} closed the connection before an answer came (${reason}): check again, and if this persists, look for a firewall or a proxy in between.`
    default:
      return `${host} cannot be reached (${reason}): check the network, the routes, the firewall and the proxy of this machine.`
  }
}
