#!/bin/sh
# Runs once, when the database's volume is empty: the two roles (the owner migrates, the
# application may not change what has been written) and the database.
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
    --set=owner_password="$TWINTILL_OWNER_PASSWORD" --set=app_password="$TWINTILL_APP_PASSWORD" <<'SQL'
CREATE ROLE twintill_runtime NOLOGIN;
CREATE ROLE twintill_owner LOGIN CREATEROLE PASSWORD :'owner_password';
CREATE ROLE twintill_app LOGIN PASSWORD :'app_password' IN ROLE twintill_runtime;
CREATE DATABASE twintill OWNER twintill_owner;
SQL
