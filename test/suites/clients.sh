# The examples of object-relational mappers and other clients: examples/clients.
# npm brings those in JavaScript, Debian those in Python and Ruby.
set -eu
: "${work:?}" "${PGHOST:?}" "${PGPORT:?}"
here=$work/clients
cp -R examples/clients "$here"
cd "$here"
PYTHONDONTWRITEBYTECODE=1
PGPASSWORD=secret
export PYTHONDONTWRITEBYTECODE PGPASSWORD

createdb clients
psql -Xqv ON_ERROR_STOP=1 -d clients -v password="$PGPASSWORD" -f setup.sql >&2
# The drivers do not agree on how a URL names the folder of a socket.
address=127.0.0.1:$PGPORT/clients
DATABASE_URL=postgres://crm_client:$PGPASSWORD@$address
OWNER_URL=postgres://crm_owner:$PGPASSWORD@$address
export DATABASE_URL OWNER_URL

number=0
result()			# ok or not ok, what
{
	number=$((number + 1))
	echo "$1 $number - $2"
}

# Runs an example: a test for each line of its own, numbered anew, and one that it came to its end.
run()				# name, command ...
{
	name=$1
	shift
	status=0
	timeout 300 "$@" >"$name.out" 2>"$name.err" || status=$?
	while read -r line
	do
		case $line in
			"ok "*) result ok "$name: ${line#* - }" ;;
			"not ok "*) result 'not ok' "$name: ${line#* - }" ;;
			*) echo "$line" ;;
		esac
	done <"$name.out"
	if [ "$status" -eq 0 ]
	then
		result ok "$name: ends"
	else
		sed 's/^/# /' "$name.err"
		result 'not ok' "$name: ends (status $status)"
	fi
}

skip()				# name, reason
{
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

# The interpreters of Debian, to which its packages belong.
run sqlalchemy /usr/bin/python3 -W ignore sqlalchemy_client.py
run django /usr/bin/python3 -W ignore django_client.py
run activerecord /usr/bin/ruby -W0 activerecord.rb

# Scripts of packages would download what no registry has. The one of node is from npm.
npm ci --ignore-scripts --no-audit --no-fund >&2
npm rebuild node >&2
PATH=$here/node_modules/.bin:$PATH
# Prisma would download its engine for `db pull` and `migrate`.
PRISMA_SCHEMA_ENGINE_BINARY=$here/prisma/schema-engine.mjs
CHECKPOINT_DISABLE=1
GRAPHILE_ENV=production
export PATH PRISMA_SCHEMA_ENGINE_BINARY CHECKPOINT_DISABLE GRAPHILE_ENV
sh introspect.sh >&2
prisma generate >&2
psql -Xqv ON_ERROR_STOP=1 -d "$OWNER_URL" -f postgraphile.sql >&2
for client in node-postgres drizzle kysely prisma sequelize typeorm postgraphile postgrest
do
	run "$client" node "$client.mjs"
done
skip 'postgrest: the real server' 'PostgREST is a package of neither npm nor Debian'
echo "1..$number"
