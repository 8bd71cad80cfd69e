# cppcheck finds nothing.  gcc's analyzer takes minutes: make test-long.
set -eu
# Told are macros of PostgreSQL's, and that uuid_v5() writes the array that it is given.
cppcheck --quiet --error-exitcode=1 --enable=warning,portability -I src \
	-D'foreach(cell,list)=for(;;)' \
	--suppress=missingInclude --suppress=uninitvar:src/base/uuid.c src crm-mcp
