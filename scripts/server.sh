# shellcheck shell=sh
# A private PostgreSQL for tests and the demo; sourced by the scripts that need
# one.  Everything lives in a temporary folder that goes when the script exits:
# a copy of the server (so that no system-wide installation is touched), a copy
# of the sources, built and installed into that server, and the data.
#
# PostgreSQL refuses to run as root: then all this belongs to the user postgres,
# who may not be able to read the folder that holds this file.
#
# Expects: top, the project's folder.  Sets: pg_config, work (the temporary
# folder), src (the copy of the sources), bin (the server's programs).
: "${top:?}"

# Of the make that may have called: not for the ones called here.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

if [ "$(id -u)" -eq 0 ]
then
	server_user=postgres
else
	server_user=$(id -un)
fi

as_server()			# runs a command as the owner of the server
{
	if [ "$(id -u)" -eq 0 ]
	then
		HOME=${work:-/} runuser -u "$server_user" -- "$@"
	else
		"$@"
	fi
}

die()
{
	echo "$0: $*" >&2
	exit 1
}

# Runs a command silently; if it fails, shows what it said and exits.
quietly()
{
	said=$("$@" 2>&1 </dev/null) && return
	echo "$said" >&2
	die "failed: $*"
}

server_prepare()		# makes work, src and bin
{
	pg_config=$("$top/scripts/pg_config.sh") ||
		die "no PostgreSQL found: run scripts/setup.sh"
	umask 022
	server_make_folder
	server_copy
	mkdir "$src"
	tar -C "$top" --exclude=./.git -cf - . | tar -C "$src" --no-same-owner -xf -
	chmod -R u+rwX "$work"
	chown -R "$server_user" "$work"
	cd "$src" || die "cannot enter $src"
	quietly as_server make -s with_llvm=no PG_CONFIG="$pg_config" clean
	quietly as_server make -s -j"$(nproc)" with_llvm=no PG_CONFIG="$pg_config"
	quietly as_server make -s with_llvm=no PG_CONFIG="$pg_config" \
		DESTDIR="$work/server" mcp_bindir="$bindir" install
	cd "$work" || die "cannot enter $work"
}

server_make_folder()
{
	tmp=${TMPDIR:-/tmp}
	# A path of a socket holds 107 bytes; make knows no paths with a space.
	case $tmp in
		*[[:space:]]*) tmp=/tmp ;;
	esac
	if [ ${#tmp} -gt 50 ] || ! as_server test -w "$tmp"
	then
		tmp=/tmp
	fi
	work=$(mktemp -d "$tmp/crm.XXXXXX")
	src=$work/src
	trap server_cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# PostgreSQL finds its other folders relative to its programs, so that a copy
# works.  A crm that is installed system-wide stays out of it.
server_copy()
{
	bindir=$("$pg_config" --bindir)
	bin=$work/server$bindir
	mkdir -p "$bin"
	for program in postgres initdb psql createdb dropdb createuser dropuser \
		reindexdb vacuumdb clusterdb pgbench
	do
		cp "$bindir/$program" "$bin"
	done
	cp "$bindir"/pg_* "$bin"
	for folder in "$("$pg_config" --pkglibdir)" "$("$pg_config" --sharedir)"
	do
		mkdir -p "$work/server$folder"
		cp -R "$folder/." "$work/server$folder"
	done
	share=$work/server$("$pg_config" --sharedir)
	rm -f "$share"/extension/crm--*.sql "$share/extension/crm.control"
}

# Starts a server with an empty cluster, reachable by its owner (and root) through
# a socket in a folder of its own ("local"); sets the variables that libpq's
# programs read.  As "tcp" it also listens at a loopback port, for those who know
# $password.  $2 names the server, if there are several.
server_start()
{
	data=$work/data${2:+.$2}
	socket=$work/socket${2:+.$2}
	password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	port=5432
	listen=
	if [ "$1" = tcp ]
	then
		port=$(free_port)
		listen=127.0.0.1
	fi
	as_server mkdir -m 700 "$socket"
	(umask 077 && echo "$password" >"$data.password")
	chown "$server_user" "$data.password"
	quietly as_server "$bin/initdb" -D "$data" -U postgres --no-sync \
		--encoding=UTF8 --locale=C.UTF-8 \
		--auth-local=trust --auth-host=scram-sha-256 --pwfile="$data.password"
	as_server tee -a "$data/postgresql.conf" >/dev/null <<-END
		unix_socket_directories = '$socket'
		listen_addresses = '$listen'
		port = $port
		fsync = off
		synchronous_commit = off
		full_page_writes = off
		max_wal_size = 4GB
	END
	server_log=$data.log
	# The wait ends when it is ready; a busy machine may need long for that.
	as_server "$bin/pg_ctl" -D "$data" -l "$server_log" -w -t 600 start \
		>/dev/null 2>&1 || die "cannot start PostgreSQL: $(tail "$server_log")"
	PGHOST=$socket
	PGPORT=$port
	PGUSER=postgres
	PGDATABASE=postgres
	PGCLIENTENCODING=UTF8
	export PGHOST PGPORT PGUSER PGDATABASE PGCLIENTENCODING
}

free_port()
{
	perl -MIO::Socket::INET -e \
		'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'
}

server_stop()			# $1: its data folder
{
	as_server "$bin/pg_ctl" -D "$1" -m immediate -w -t 600 stop >/dev/null 2>&1 || true
}

server_cleanup()		# at exit: stops the servers, removes the folder
{
	status=$?
	trap '' INT TERM HUP
	cd /
	for pid_file in "$work"/data*/postmaster.pid
	do
		[ ! -f "$pid_file" ] || server_stop "${pid_file%/*}"
	done
	rm -rf "$work"
	exit "$status"
}
