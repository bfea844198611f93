#!/bin/sh
# Makes the secrets of compose.yaml, in the folder secrets beside it; those that are there are left as they are. To
# change one, remove its file, run this again, and `docker compose up` again (docs/container.md).
set -eu
cd "$(dirname "$0")"

# The folder keeps others of this machine out. The files must be readable to the containers' users, who have numbers
# that mean nothing here; what is mounted into a container is the file, so the folder's mode does not matter there.
mkdir -p secrets
chmod 0700 secrets
umask 0333

random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# In one step, so that an interrupted run leaves no half a secret.
keep() {
    if [ -s "secrets/$1" ]; then
        echo "kept  secrets/$1"
        cat >/dev/null
    else
        rm -f "secrets/.$1"
        cat >"secrets/.$1"
        mv -f "secrets/.$1" "secrets/$1"
        echo "made  secrets/$1"
    fi
}

# By which the members know each other: MongoDB takes 6 to 1024 base64 characters.
random 378 | keep mongo-keyfile
random 24 | keep mongo-root-password
echo "mongodb://barograph:$(random 24)@mongo1:27017,mongo2:27017,mongo3:27017/meteo?replicaSet=barograph&authSource=admin" \
    | keep BAROGRAPH_STORE
random 10 | tr '[:lower:]' '[:upper:]' | keep AWS_ACCESS_KEY_ID
random 20 | keep AWS_SECRET_ACCESS_KEY

# Who may do what on the S3 server: follows the two keys. Reading, writing and listing two buckets, no more.
[ -e secrets/s3-identities ] && rm -f secrets/s3-identities
keep s3-identities <<JSON
{"identities": [{"name": "barograph",
  "credentials": [{"accessKey": "$(cat secrets/AWS_ACCESS_KEY_ID)", "secretKey": "$(cat secrets/AWS_SECRET_ACCESS_KEY)"}],
  "actions": ["Read:landing", "Write:landing", "List:landing", "Read:backup", "Write:backup", "List:backup"]}]}
JSON
