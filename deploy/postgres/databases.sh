#!/bin/sh
# Makes a role and a database for each service, or brings their passwords up to date. Can be run again at any time.
# Server and superuser by PGHOST, PGUSER, PGPASSFILE …; PASSWORDS is the folder with NAME.password for each service.
set -eu
here=$(dirname "$0")
for service in incidents notifications reporting; do
    SERVICE=$service PASSWORD=$(cat "$PASSWORDS/$service.password") \
        psql --no-psqlrc --quiet --no-password --dbname postgres --file "$here/database.sql"
done
