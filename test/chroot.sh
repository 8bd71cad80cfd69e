# shellcheck shell=sh
# A Debian of another release, put up in the temporary folder and entered by chroot;
# sourced by the suites that need one.  Root's rights are needed: chroot_possible
# tells whether they are there.
: "${CRM_TOP:?}" "${work:?}"

chroot_possible()
{
	[ "$(id -u)" -eq 0 ] && command -v debootstrap >/dev/null &&
		unshare --mount --pid --fork true
}

# $1: the release.  Sets root, its folder, with the sources in /crm.
chroot_put_up()
{
	root=$work/$1
	# shellcheck disable=SC2016 # apt's own variable
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
		grep -v security | head -n 1)
	debootstrap --variant=minbase --include=make "$1" "$root" "$mirror" || return
	# Mirrors may be behind, and services are not wanted.
	echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90crm"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	mkdir "$root/crm" || return
	tar -C "$CRM_TOP" --exclude=./.git --exclude='*.o' --exclude='*.so' -cf - . |
		tar -C "$root/crm" --no-same-owner -xf - || return
	if [ -n "${CRM_SALES_CSV:-}" ]
	then
		mkdir -p "$root/shared/data"
		cp "$CRM_SALES_CSV" "$root/shared/data/sales_pipeline.csv"
	fi
}

# Runs a command in it, with processes of its own.  Its first one waits for whatever
# ends, as an init does: else killed servers stay as zombies.
chroot_run()
{
	# shellcheck disable=SC2016 # for the shell inside
	unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root chroot "$root" \
		sh -c '"$@" & wait $!' sh "$@"
}

# Brings the server of these tests, with crm and the libraries that this Debian does not
# have, into its folder /old.
chroot_bring_server()
{
	mkdir "$root/old" && cp -R "$work/server/." "$root/old" || return
	# Compiling queries takes a library of 100 MB.
	find "$root/old" -name 'llvmjit*' -delete
	chroot "$root" /sbin/ldconfig -p | awk '{ print $1 }' >"$work/libraries"
	find "$root/old" -type f \( -perm -100 -o -name '*.so' \) -exec ldd {} + 2>/dev/null |
		awk 'FNR == NR { there[$1]; next } $3 ~ "^/" && !($1 in there) { print $3 }' "$work/libraries" - |
		sort -u | xargs -r cp -L -t "$root/usr/local/lib" && chroot "$root" /sbin/ldconfig
}
