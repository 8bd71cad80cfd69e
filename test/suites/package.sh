# Debian's packages, made of debian/ in a Debian of its own: built, looked through by
# lintian, installed, tested as autopkgtest does, and removed without a trace.
# Skipped where chroot may not be used.
# shellcheck source=test/chroot.sh
. "${CRM_TOP:?}/test/chroot.sh"
number=0

check()				# $1: what it shows; the rest is a command
{
	number=$((number + 1))
	name=$1
	shift
	if "$@" >"$work/package.said" 2>&1 </dev/null
	then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		tail -n 60 "$work/package.said" | sed 's/^/# /'
	fi
}

inside()			# a script for the shell of that Debian, in the sources
{
	chroot_run sh -euc "export DEBIAN_FRONTEND=noninteractive LC_ALL=C; cd /crm; $1"
}

apt_install='apt-get -qq -y install --no-install-recommends'

if ! chroot_possible
then
	echo "ok 1 - Debian's packages # SKIP a chroot takes root's rights"
	exit
fi
if ! { chroot_put_up bookworm && inside "apt-get -qq update; $apt_install \
	build-essential fakeroot debhelper lintian libpq-dev postgresql-all postgresql-server-dev-all uuid-dev"
	} >"$work/package.said" 2>&1
then
	echo "ok 1 - Debian's packages # SKIP no Debian bookworm to be had here"
	tail -n 3 "$work/package.said" | sed 's/^/# /'
	exit
fi

# The list of files before and after tells what a package leaves behind.
files="find /usr /etc /var/lib/postgresql -not -name '*.pyc' | sort"

check 'debian/control is that of debian/control.in' inside \
	'cp debian/control /tmp/control; pg_buildext updatecontrol; cmp debian/control /tmp/control'
# The archive that a source package is made of has no debian/.
inside "tar --exclude=./debian --exclude=./build --transform='s,^\.,crm,S' \
	-czf ../crm_\$(dpkg-parsechangelog -SVersion | sed 's/-.*//').orig.tar.gz ." >"$work/package.said" 2>&1
check 'the packages are built, that of the sources too' inside 'dpkg-buildpackage -us -uc'
check 'lintian finds nothing' inside \
	'lintian --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs ../crm_*.changes'
inside "$files >/tmp/before"
check 'they are installed' inside "$apt_install ../postgresql-*-crm_*.deb ../crm-mcp_*.deb"
check 'crm-mcp and its manual page are where they are looked for' inside \
	'command -v crm-mcp | grep -x /usr/bin/crm-mcp; crm-mcp --version; [ -f /usr/share/man/man1/crm-mcp.1.gz ]'
check "autopkgtest's command passes" inside debian/tests/installcheck
check 'they are removed' inside "apt-get -qq -y purge 'postgresql-*-crm' crm-mcp"
check 'and leave nothing behind' inside "$files | diff /tmp/before -"
rm -rf "$root"
