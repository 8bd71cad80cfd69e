# The fuzzers, with a library that checks itself: undefined behaviour ends the
# server (UBSan), and so does an assertion of crm's or of PostgreSQL's headers that
# does not hold.  The server's own assertions are those that it was built with;
# Debian's has none.
: "${work:?}"
seconds=${CRM_FUZZ_SECONDS:-90}

make -s with_llvm=no PG_CONFIG="$PG_CONFIG" clean
make -s -j2 with_llvm=no PG_CONFIG="$PG_CONFIG" \
	COPT='-O1 -DUSE_ASSERT_CHECKING -fsanitize=undefined -fno-sanitize-recover=all'
make -s with_llvm=no PG_CONFIG="$PG_CONFIG" DESTDIR="$work/server.sanitized" install
CRM_FUZZ_SECONDS=$seconds CRM_TAP_TESTS='api_fuzz mcp_fuzz' exec sh test/suites/tap.sh
