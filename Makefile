# crm: a CRM as a PostgreSQL extension (PGXS).
#
# The version number stands in crm.control and nowhere else.

EXTENSION = crm
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" crm.control)

MODULE_big = crm
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
# The scripts of this version are built; those of released ones are frozen.
DATA_built = build/crm--$(EXTVERSION).sql \
	$(patsubst sql/updates/%,build/crm--%,$(sort $(wildcard sql/updates/*--$(EXTVERSION).sql)))
DATA = $(filter-out $(DATA_built:build/%=sql/released/%),$(sort $(wildcard sql/released/crm--*.sql)))
EXTRA_CLEAN = build META.json results regression.diffs regression.out output_iso tmp_check

# PG_CFLAGS, not CFLAGS: overriding the latter would drop -fwrapv.
# The tests' builds add -Werror, by COPT.
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
# For clang: the flags and headers are those of the gcc that built the server.
PG_CFLAGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-ignored-attributes
PG_CPPFLAGS = -Isrc -DCRM_VERSION='"$(EXTVERSION)"'
# Calls between files of crm.so go straight there, as from PostgreSQL 16 on, which
# hides symbols: the summary calls four of them a row.
SHLIB_LINK = -luuid -Wl,-Bsymbolic-functions

REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --load-extension=crm
ISOLATION = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --load-extension=crm

all:

# The commands of the README.  They install what is missing, so they work where
# there is no PostgreSQL yet, and they leave nothing built here.
.PHONY: demo test bench indent reference picture release
demo:
	@scripts/demo.sh $(if $(EXIT),--exit) $${CSV:+"$$CSV"}
test:
	@scripts/check.sh
# One suite alone: make test-regress, test-isolation, test-pgtap, ...
test-%:
	@scripts/check.sh $*
# What takes hours: each kind of dump with each kind of restore, 500 crashes, the
# fuzzers, SQLsmith, a million moves, gcc's analyzer, the TAP suite with the PostgreSQL of
# later Debians.  ONLY names some of the TAP tests.
.PHONY: test-long
test-long:
	@CRM_PATIENCE=200 CRM_BACKUPS=all CRM_SOAK_ROUNDS=500 CRM_PAIR_TRANSACTIONS=200 \
		CRM_MEMORY_MOVES=1000000 CRM_FUZZ_SECONDS=1800 CRM_FUZZ_COUNT=40000 \
		CRM_SQLSMITH_SECONDS=300 CRM_CANCEL_LIMIT_MS=200 CRM_VERSIONS_SUITES=tap \
		CRM_TAP_TESTS='$(or $(ONLY),operations_dump_restore operations_soak \
			operations_memory operations_sqlsmith operations_cancel \
			operations_discarded_caches table_deadlocks table_pairs)' \
		scripts/check.sh tap $(if $(ONLY),,sanitized analysis versions-17 versions-18)
# SCALE is the largest table: 100k takes some minutes, 10M hours.
bench:
	@SCALE=$(or $(SCALE),100k) ROUNDS=$(or $(ROUNDS),5) bench/run.sh
indent:
	@scripts/indent.pl
# Writes docs/reference.md from the COMMENTs.
reference:
	@scripts/reference.sh
# Writes docs/page.png, the picture of the README.
picture:
	@scripts/picture.sh
# Freezes the scripts of this version: see docs/upgrade.md.
release:
	@scripts/release.sh

# A source package for PGXN: what is committed, META.json, and what it is made of.
# Made again from the same commit it is the same to the byte.
.PHONY: dist
dist: META.json build/crm.spdx.json
	TZ=UTC git archive --format=zip --prefix=crm-$(EXTVERSION)/ \
		--add-file=META.json --add-file=build/crm.spdx.json -o crm-$(EXTVERSION).zip HEAD
build/crm.spdx.json: scripts/sbom.sh crm.control
	mkdir -p build
	sh scripts/sbom.sh $(EXTVERSION) > $@

META.json: META.json.in crm.control
	sed 's/@VERSION@/$(EXTVERSION)/g' $< > $@

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
all install uninstall installcheck clean:
	@echo "$(PG_CONFIG) of a server with its development files is not there:" \
		"run scripts/setup.sh, or name another with PG_CONFIG=" >&2; exit 1
else
include $(PGXS)

$(OBJS): $(wildcard src/*/*.h) crm.control

# The extension script, made of all that sql/ holds.
build/crm--$(EXTVERSION).sql: $(wildcard sql/*/*.sql sql/queries/parts/*.sql sql/page/*) sql/build.sh sql/queries/parts.awk crm.control
	mkdir -p build
	sh sql/build.sh $(EXTVERSION) > $@.tmp
	mv $@.tmp $@
# What ALTER EXTENSION UPDATE runs to get from an earlier version to this one.
build/crm--%--$(EXTVERSION).sql: $(wildcard sql/*/*.sql sql/queries/parts/*.sql sql/page/*) sql/build.sh sql/queries/parts.awk crm.control
	mkdir -p build
	sh sql/build.sh $(EXTVERSION) $* > $@.tmp
	mv $@.tmp $@

# crm-mcp, a program that speaks with libpq.  It goes where programs and manual pages
# are looked for, which the folders of a server need not be.
MCP_OBJS = $(patsubst %.c,%.o,$(sort $(wildcard crm-mcp/*.c)))
EXTRA_CLEAN += crm-mcp/crm-mcp $(MCP_OBJS) $(MCP_OBJS:.o=.bc)
mcp_prefix = /usr/local
mcp_bindir = $(mcp_prefix)/bin
mcp_mandir = $(mcp_prefix)/share/man

all: crm-mcp/crm-mcp
crm-mcp/crm-mcp: $(MCP_OBJS)
	$(CC) $(CFLAGS) $(MCP_OBJS) $(LDFLAGS) -L$(libdir) -lpq -o $@
$(MCP_OBJS): $(wildcard crm-mcp/*.h) crm.control
$(MCP_OBJS): override CPPFLAGS += -I$(includedir)

install: install-crm-mcp
.PHONY: install-crm-mcp uninstall-crm-mcp
install-crm-mcp: crm-mcp/crm-mcp
	$(MKDIR_P) '$(DESTDIR)$(mcp_bindir)' '$(DESTDIR)$(mcp_mandir)/man1'
	$(INSTALL_PROGRAM) crm-mcp/crm-mcp '$(DESTDIR)$(mcp_bindir)/crm-mcp'
	$(INSTALL_DATA) crm-mcp/crm-mcp.1 '$(DESTDIR)$(mcp_mandir)/man1/crm-mcp.1'
uninstall: uninstall-crm-mcp
uninstall-crm-mcp:
	rm -f '$(DESTDIR)$(mcp_bindir)/crm-mcp' '$(DESTDIR)$(mcp_mandir)/man1/crm-mcp.1'
endif
