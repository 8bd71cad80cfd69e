#!/bin/sh
# Run once by the image, in an empty database: a CRM, and the roles for PostgREST.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
	-v password="$CRM_AUTHENTICATOR_PASSWORD" -f /crm/setup.sql
