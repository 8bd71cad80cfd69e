#!/bin/sh
# Prints the pg_config to build with: $PG_CONFIG, else Debian's of PostgreSQL 15,
# else the one in the PATH.  Fails if there is none, or if the files for building
# extensions are missing.
set -eu

usable()			# pg_config; has it a server, its PGXS and its headers?
{
	[ -f "$("$1" --pgxs 2>/dev/null)" ] && [ -x "$("$1" --bindir)/postgres" ] &&
		[ -f "$("$1" --includedir-server)/postgres.h" ]
}

for candidate in "${PG_CONFIG:-}" \
	/usr/lib/postgresql/15/bin/pg_config \
	"$(command -v pg_config || true)"
do
	[ -n "$candidate" ] || continue
	if usable "$candidate"
	then
		command -v "$candidate"
		exit
	elif [ -n "${PG_CONFIG:-}" ]
	then
		echo "$0: $PG_CONFIG is not the pg_config of a server with its development files" >&2
		exit 1
	fi
done
exit 1
