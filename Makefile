# pgmigrate/Makefile
#
# Two worlds in one file.  With a server's development files it is an
# ordinary PGXS makefile (make, make install, make installcheck).  Without
# them the targets that set up everything by themselves still work: demo,
# test, lint and bench call a script of test/bin, which installs what is
# missing and works on private copies.

EXTENSION = pgmigrate
# Keep literal: reading the control file yields nothing in a VPATH build.
EXTVERSION = 1.0.0

MODULE_big = $(EXTENSION)

# By floor, the lowest first; a room includes from its own and lower floors.
OBJS = \
	$(WIN32RES) \
	src/base/args.o \
	src/base/dependents.o \
	src/base/extension.o \
	src/base/guc.o \
	src/base/hold.o \
	src/base/lock.o \
	src/base/message.o \
	src/base/query.o \
	src/base/relation.o \
	src/base/rights.o \
	src/base/shared.o \
	src/base/subxact.o \
	src/base/types.o \
	src/base/unblock.o \
	src/base/wait.o \
	src/base/worker.o \
	src/script/compare.o \
	src/script/markers.o \
	src/script/name.o \
	src/script/position.o \
	src/script/reader.o \
	src/script/source.o \
	src/script/split.o \
	src/script/token.o \
	src/store/backfill.o \
	src/store/bad_row.o \
	src/store/lane.o \
	src/store/migration.o \
	src/store/online.o \
	src/store/queue.o \
	src/store/run.o \
	src/store/signals.o \
	src/store/step.o \
	src/store/sync.o \
	src/store/table_pair.o \
	src/store/version.o \
	src/backfill/brake.o \
	src/backfill/change.o \
	src/backfill/clean.o \
	src/backfill/complete.o \
	src/backfill/estimate.o \
	src/backfill/key.o \
	src/backfill/lane.o \
	src/backfill/leaf.o \
	src/backfill/pace.o \
	src/backfill/pack.o \
	src/backfill/pages.o \
	src/backfill/piece.o \
	src/backfill/recover.o \
	src/backfill/shape.o \
	src/backfill/span.o \
	src/backfill/statement.o \
	src/backfill/strategy.o \
	src/backfill/target.o \
	src/backfill/throttle.o \
	src/backfill/window.o \
	src/plan/alter_effects.o \
	src/plan/alter_locks.o \
	src/plan/classify.o \
	src/plan/duration.o \
	src/plan/effects.o \
	src/plan/locks.o \
	src/plan/lockset.o \
	src/plan/need.o \
	src/plan/online.o \
	src/plan/online_adopt.o \
	src/plan/online_attach.o \
	src/plan/online_column.o \
	src/plan/online_constraint.o \
	src/plan/online_index.o \
	src/plan/online_name.o \
	src/plan/online_partition.o \
	src/plan/online_rows.o \
	src/plan/online_shadow.o \
	src/plan/online_stay.o \
	src/plan/online_table.o \
	src/plan/online_type.o \
	src/plan/order.o \
	src/plan/pieces.o \
	src/plan/probe.o \
	src/plan/queue.o \
	src/plan/together.o \
	src/swap/built.o \
	src/swap/carry.o \
	src/swap/contract.o \
	src/swap/put.o \
	src/swap/swap.o \
	src/swap/table.o \
	src/swap/table_carry.o \
	src/swap/words.o \
	src/sync/cache.o \
	src/sync/check.o \
	src/sync/decide.o \
	src/sync/expression.o \
	src/sync/heir.o \
	src/sync/pair.o \
	src/sync/prepared.o \
	src/sync/rights.o \
	src/sync/row.o \
	src/sync/statement.o \
	src/sync/table_cache.o \
	src/sync/table_check.o \
	src/sync/table_pair.o \
	src/sync/table_sql.o \
	src/sync/table_trigger.o \
	src/sync/table_verify.o \
	src/sync/trigger.o \
	src/sync/use.o \
	src/sync/verify.o \
	src/sync/version.o \
	src/exec/attempt.o \
	src/exec/execute.o \
	src/exec/look.o \
	src/atomic/run.o \
	src/online/act.o \
	src/online/failure.o \
	src/online/inverse.o \
	src/online/reason.o \
	src/online/reconcile.o \
	src/online/runner.o \
	src/online/submit.o \
	src/worker/dispatch.o \
	src/worker/finale.o \
	src/worker/lane.o \
	src/worker/launcher.o \
	src/worker/pause.o \
	src/worker/recorder.o \
	src/worker/run.o \
	src/worker/session.o \
	src/worker/starter.o \
	src/api/api.o \
	src/api/apply.o \
	src/api/backfill.o \
	src/api/compensate.o \
	src/api/control.o \
	src/api/contract.o \
	src/api/contract_table.o \
	src/api/estimate.o \
	src/api/expand.o \
	src/api/expand_table.o \
	src/api/expansion.o \
	src/api/finish.o \
	src/api/grants.o \
	src/api/guard.o \
	src/api/job.o \
	src/api/limits.o \
	src/api/load.o \
	src/api/next_window.o \
	src/api/plan.o \
	src/api/record.o \
	src/api/register.o \
	src/api/run.o \
	src/api/status.o \
	src/api/steps.o \
	src/api/submit.o \
	src/api/swap.o \
	src/api/sync.o \
	src/api/undo.o \
	src/api/verify.o \
	src/api/verify_expansion.o \
	src/api/version.o \
	src/api/wait.o \
	src/pgmigrate.o
PGFILEDESC = "pgmigrate - schema migrations inside PostgreSQL"
# Calls within the library need no look-up, and no other library meets its names.
SHLIB_EXPORTS = src/exports.txt

PG_CPPFLAGS = -I$(srcdir)/src -DPGMIGRATE_VERSION='"$(EXTVERSION)"'

# Fragments of the install script, in the order they are concatenated.
SQL_FRAGMENTS = \
	src/sql/header.sql \
	src/sql/tables.sql \
	src/sql/backfill_tables.sql \
	src/sql/online_tables.sql \
	src/sql/sync_tables.sql \
	src/sql/views.sql \
	src/sql/backfill_views.sql \
	src/sql/online_views.sql \
	src/sql/sync_views.sql \
	src/sql/api.sql \
	src/sql/backfill_api.sql \
	src/sql/sync_api.sql \
	src/sql/table_pair.sql \
	src/sql/rights.sql

DATA =
DATA_built = $(EXTENSION)--$(EXTVERSION).sql
DOCS = doc/pgmigrate.md

# sql/ and expected/
REGRESS = \
	register \
	markers \
	refused \
	split \
	encoding \
	load \
	apply \
	settings \
	errors \
	order \
	kinds \
	rollback \
	verify \
	record \
	status \
	plan \
	plan_more \
	steps \
	steps_type \
	steps_more \
	online_refused \
	online \
	online_need \
	arguments \
	rights \
	trust \
	hostile \
	hostile_plan \
	own_errors \
	backfill_arguments \
	backfill_batch \
	backfill_errors \
	backfill_estimate \
	backfill_finish \
	backfill_keys \
	backfill_limits \
	backfill_names \
	backfill_partitions \
	backfill_rights \
	backfill_states \
	backfill_strategy \
	backfill_targets \
	backfill_triggers \
	backfill_types \
	backfill_wait \
	backfill_window \
	sync \
	sync_refused \
	expand \
	contract \
	version \
	expand_table

# test/isolation/specs and test/isolation/expected
ISOLATION = \
	apply_same \
	apply_opposite \
	register_apply \
	readers \
	row_locks \
	old_snapshot \
	drop_extension \
	held_locks \
	backfill_control \
	backfill_drop \
	backfill_locked \
	backfill_notify \
	backfill_rows \
	backfill_sessions \
	backfill_snapshot \
	size_drop
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation

TAP_TESTS = 1
PROVE_TESTS = test/tap/*.pl

EXTRA_CLEAN = dist

# The scripts are told of a PG_CONFIG only when the user chose one.
ifneq ($(filter-out undefined default file,$(origin PG_CONFIG)),)
export PG_CONFIG
endif
PG_CONFIG ?= pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))

.DEFAULT_GOAL := all

ifneq ($(PGXS),)

# Bitcode serves the server's JIT only: do without where its clang is missing.
CLANG_FOUND := $(shell command -v \
	$$(sed -n 's/^CLANG *= *//p' $(dir $(PGXS))../Makefile.global) 2>/dev/null)
ifeq ($(CLANG_FOUND),)
override with_llvm = no
endif

# A VPATH build needs the object directories.
_mkobjdirs := $(shell mkdir -p $(sort $(dir $(OBJS))))

include $(PGXS)

# Written by another process, at some time: the tests do without.
installcheck: export PGOPTIONS := $(PGOPTIONS) -c pgmigrate.record_failures=off

# PGXS tracks no header dependencies.
$(OBJS): $(wildcard $(srcdir)/src/*.h $(srcdir)/src/*/*.h)

$(DATA_built): $(SQL_FRAGMENTS)
	cat $^ > $@.tmp && mv $@.tmp $@

else

all install installcheck uninstall clean:
	@echo "$(PG_CONFIG) finds no server development files: install postgresql-server-dev-NN, or set PG_CONFIG=/path/to/pg_config" >&2; exit 1

.PHONY: all install installcheck uninstall clean

endif

# TARGET demo: installs what is missing and shows pgmigrate at work on a server of its own
demo:
	@test/bin/demo.sh start

# TARGET demo-stop: stops that server and removes it
demo-stop:
	@test/bin/demo.sh stop

# TARGET test: runs the suites [SUITES="lint regress isolation pgtap tap faults"] [TESTS="name ..."] [FULL=1: faults to the full] [KEEP=1]
test:
	@test/bin/test.sh

# TARGET lint: checks the sources only (part of test)
lint:
	@SUITES=lint test/bin/test.sh

# TARGET bench: prints the benchmark's figures [BENCH="migrations backfill foreground online sync"] [ROWS=] [RUNS=] [PLOTS=1]
bench:
	@test/bin/bench.sh

# TARGET indent: runs pgindent over the C sources (server development files of 17 or later)
indent:
	@test/bin/indent.sh

# TARGET dist: makes the PGXN archive, with the built install script in it
dist: $(DATA_built)
	mkdir -p dist
	git archive --format zip --prefix=$(EXTENSION)-$(EXTVERSION)/ \
	  --add-file=$(DATA_built) \
	  -o dist/$(EXTENSION)-$(EXTVERSION).zip HEAD

# TARGET help: lists these targets
help:
	@sed -n 's/^# TARGET \([^:]*\): /make \1\t/p' Makefile | expand -t 16
	@echo "PG_CONFIG=/path/to/pg_config picks another server for any of them."

.PHONY: demo demo-stop test lint bench indent dist help
