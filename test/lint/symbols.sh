# The library exports what is named crm_*, and what PostgreSQL asks of a module.
set -eu
exported=$(nm -D --defined-only crm.so | awk '{ print $3 }' |
	grep -vxE 'crm_[a-z0-9_]+|pg_finfo_crm_[a-z0-9_]+|Pg_magic_func|_PG_init') || true
[ -z "$exported" ] || {
	echo "exported, but not crm_*:" "$exported"
	exit 1
}
