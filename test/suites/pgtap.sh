# pgTAP: each file of test/pgtap in a new, empty database.
set -eu

# pgTAP may have been installed for another version of PostgreSQL only: it is
# made of SQL alone and works for any.
share=$(pg_config --sharedir)/extension
if [ ! -f "$share/pgtap.control" ]
then
	cp "$(find /usr/share/postgresql -name pgtap.control | sort | tail -n 1 |
		xargs dirname)"/pgtap* "$share"
fi

status=0
# CRM_PGTAP_TESTS names some of them, with spaces between.
for name in ${CRM_PGTAP_TESTS:-$(cd test/pgtap && ls -- *.sql)}
do
	file=test/pgtap/${name%.sql}.sql
	createdb crm_pgtap
	pg_prove --timer -v -d crm_pgtap "$file" || status=1
	dropdb --force crm_pgtap
done
exit $status
