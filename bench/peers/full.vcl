vcl 4.1;

# Varnish with an injected header and the document as Hilos sends it.
backend hilos {
  .host = "127.0.0.1";
  .port = "${upstreamPort}";
}

sub vcl_recv {
  set req.url = regsub(req.url, "^/execution-contacts/", "/channel/whatsapp/flow-execution-contact/");
  unset req.http.Accept-Encoding;
  return (hash);
}

sub vcl_backend_fetch {
  set bereq.http.Authorization = "Token ${token}";
}

sub vcl_backend_response {
  unset beresp.http.Vary;
  set beresp.ttl = 1h;
  return (deliver);
}

sub vcl_deliver {
  if (obj.hits > 0) {
    set resp.http.Cache-Status = "hit";
  }
}
