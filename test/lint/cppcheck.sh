# cppcheck finds nothing.  gcc's analyzer takes minutes: make test-long.
set -eu
# Told are macros of PostgreSQL's headers, which it does not read, and what it cannot
# expand itself.  Uninitialized variables are for gcc to find, which reads the headers.
# Newer versions tell where they do not follow all branches: it is no mistake.
cppcheck --quiet --error-exitcode=1 --enable=warning,portability -I src -j "$(nproc)" \
	-DPG_VERSION_NUM=150000 -DHAVE_INT128 \
	-D'foreach(cell,list)=while (list)' -D'ereport(level,rest)=exit(1)' \
	-D'CppAsString2(text)="text"' -D'UINT64_FORMAT="%lu"' -D'CRM_VERSION="1"' -UCRM_ON_WRITE \
	--suppress=missingInclude --suppress=uninitvar --suppress=normalCheckLevelMaxBranches \
	src crm-mcp
