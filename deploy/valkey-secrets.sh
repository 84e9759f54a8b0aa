#!/bin/sh
# Makes the secrets of the shared tier in a folder, where they are missing, and replaces none:
#   cache-keys, redis-url   for hilos-bff, beside its other secrets
#   valkey/users.acl        for the server, which gets only a hash of the password in redis-url
set -eu
umask 077
folder=${1:?Usage: deploy/valkey-secrets.sh FOLDER}
mkdir -p "$folder/valkey"
cd "$folder"

key() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }
[ -e cache-keys ] ||
  printf '{ "names": "%s", "seal": [{ "id": 1, "key": "%s" }] }\n' "$(key)" "$(key)" >cache-keys

# Both have the same password, so they are made together.
if [ ! -e redis-url ] && [ ! -e valkey/users.acl ]; then
  password=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
  printf 'redis://hilos-bff:%s@hilos-bff-valkey:6379' "$password" >redis-url
  hash=$(printf %s "$password" | sha256sum | cut -c 1-64)
  # Without a password, only the PING of a health check is possible. The rule of hilos-bff is that of docs/runbook.md.
  cat >valkey/users.acl <<END
user default on nopass resetkeys resetchannels -@all +ping
user hilos-bff on #$hash resetchannels ~{hbff}:* -@all +select +client|setname +info +eval +evalsha +xread +time +get +set +del +unlink +scan +pttl +pexpire +hget +hkeys +hmget +hgetall +hset +hsetnx +hdel +xadd +xlen +xrange +xrevrange +zadd +zcard +zrange +zrem +zremrangebyscore +zscore
END
elif [ ! -e redis-url ] || [ ! -e valkey/users.acl ]; then
  echo "$folder has only one of redis-url and valkey/users.acl, which belong together: remove it to get new ones." >&2
  exit 1
fi

# The user of both images. Run by another user than root, the files are that user's.
[ "$(id -u)" -ne 0 ] || chown -R 1000:1000 cache-keys redis-url valkey
