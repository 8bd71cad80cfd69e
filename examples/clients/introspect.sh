#!/bin/sh
# What the clients generate of the database, each by its own tool, as the owner of the
# CRM: PostgreSQL shows others neither all keys nor all foreign keys.
set -eu
: "${OWNER_URL:?}"
bin=node_modules/.bin

"$bin/drizzle-kit" pull
# Without a bundler, Node wants the extension.
sed -i 's|"./schema"|"./schema.ts"|' drizzle/relations.ts
"$bin/kysely-codegen" --url "$OWNER_URL" --dialect postgres --default-schema crm \
	--include-pattern 'crm.*' --out-file kysely/db.d.ts
"$bin/prisma" db pull
# postgres://user:password@host:port/database
IFS=':/@' read -r _ _ _ user password host port database <<END
$OWNER_URL
END
"$bin/sequelize-auto" -h "$host" -p "$port" -d "$database" -u "$user" -x "$password" \
	--dialect postgres -l esm --views -o sequelize
