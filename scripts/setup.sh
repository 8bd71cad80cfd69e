#!/bin/sh
# Installs on Debian the packages that are needed to build crm (`setup.sh build`),
# to test it in a server, too (`setup.sh server`), or for all tests (`setup.sh`), and
# prints their names.  Does nothing if all are installed.  Asks no questions when run
# as root; else sudo may ask for the password.
#
# A PostgreSQL 15 to 18 that is installed already is used (see pg_config.sh), but
# not changed.  Installing PostgreSQL here starts no server: crm's scripts start
# their own private ones.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

server_packages()		# the missing packages of PostgreSQL itself; argument: major version
{
	if ! "$here/pg_config.sh" >/dev/null
	then
		[ -z "${PG_CONFIG:-}" ] || exit 1
		echo "postgresql-$1 postgresql-server-dev-$1"
	fi
}

server_test_packages()		# the test drivers; argument: major version
{
	echo perl libipc-run-perl libtap-parser-sourcehandler-pgtap-perl
	[ -n "${PG_CONFIG:-}" ] || echo "postgresql-$1-pgtap"
}

other_test_packages()		# the major version
{
	[ -n "${PG_CONFIG:-}" ] || echo "postgresql-$1-plpgsql-check"
	# For the lints.  From PostgreSQL 16 on, pg_bsd_indent is part of it.
	echo clang cppcheck python3-pglast python3-yaml iso-codes shellcheck perltidy
	[ "$1" -ge 16 ] || echo pg-bsd-indent
	# For the clients of MCP and of SQL; any npm will do, as it installs the Node that they need.
	command -v npm >/dev/null || echo npm
	# For examples/clients.
	echo python3-sqlalchemy python3-psycopg2 python3-django ruby-activerecord ruby-pg
	# For the pages.
	echo chromium
	# For examples/nginx.
	echo nginx libnginx-mod-http-js
	# For the releases of Debian that have the other versions of PostgreSQL.
	echo debootstrap
	# For make test-long.
	[ -z "${CRM_SQLSMITH_SECONDS:-}" ] || echo sqlsmith
}

major_version()			# of the PostgreSQL to use, else 15
{
	if pg_config=$("$here/pg_config.sh")
	then
		"$pg_config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'
	else
		echo 15
	fi
}

missing()			# prints those of the packages that are not installed
{
	for package
	do
		dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null |
			grep -qx installed || echo "$package"
	done
}

as_root()
{
	if [ "$(id -u)" -eq 0 ]
	then
		"$@"
	elif command -v sudo >/dev/null
	then
		sudo "$@"
	else
		echo "setup: please run $here/setup.sh as root first (there is no sudo here)" >&2
		exit 1
	fi
}

# Debian creates and starts a cluster with every new server, unless this file forbids it.
no_cluster=/etc/postgresql-common/createcluster.d/zz-crm-setup.conf
# It also starts nginx, unless this program forbids it.
no_service=/usr/sbin/policy-rc.d

undo()				# removes the files that prevented the start of services
{
	if [ -n "$new_nginx" ] && [ -e /etc/init.d/nginx ]
	then
		# Its package has it started at the next boot.
		as_root update-rc.d nginx disable || true
	fi
	if [ -n "$server" ]
	then
		as_root rm -f "$no_cluster"
		as_root rmdir "${no_cluster%/*}" 2>/dev/null || true
	fi
	[ -z "$made_policy" ] || as_root rm -f "$no_service"
}

apt()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o DPkg::Lock::Timeout=300 "$@" </dev/null
}

plan()				# arguments: build, server or test; major version; sets server, missing
{
	server=$(server_packages "$2")
	wanted="gcc libc6-dev make uuid-dev $server"
	[ "$1" = build ] || wanted="$wanted $(server_test_packages "$2")"
	[ "$1" != test ] || wanted="$wanted $(other_test_packages "$2")"
	# shellcheck disable=SC2086 # a list of words
	missing=$(missing $wanted | paste -sd ' ')
}

what=${1:-test}
major=$(major_version)

if ! command -v dpkg-query >/dev/null
then
	"$here/pg_config.sh" >/dev/null && exit
	echo "setup: not a Debian: please install a compiler, make, libuuid and PostgreSQL with its development files" >&2
	exit 1
fi

plan "$what" "$major"
[ -n "$missing" ] || exit 0
echo "setup: updating the list of packages"
apt update
if [ -n "$server" ] && ! apt-cache show "postgresql-$major" >/dev/null 2>&1
then
	# Not in this release of Debian: take the version that it has.
	plan "$what" "$(apt-cache depends postgresql |
		sed -n 's/.*Depends: postgresql-\([0-9][0-9]*\)$/\1/p')"
fi
echo "setup: installing $missing"
made_policy=
new_nginx=
trap undo EXIT
case " $missing " in
	*" nginx "*)
		new_nginx=yes
		if [ ! -e "$no_service" ]
		then
			made_policy=yes
			printf '#!/bin/sh\nexit 101\n' | as_root tee "$no_service" >/dev/null
			as_root chmod 755 "$no_service"
		fi
		;;
esac
if [ -n "$server" ]
then
	as_root mkdir -p "${no_cluster%/*}"
	echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
fi
# shellcheck disable=SC2086
apt install --no-install-recommends $missing
echo "setup: done"
