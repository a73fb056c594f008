# geak: `make` builds build/geak, `make help` lists the rest.
# B=DIR builds elsewhere; SAN=address,undefined instruments; DEV=1 makes warnings errors;
# ROOMS="base num" builds and tests only these rooms (no program).
B       ?= build
PREFIX  ?= /usr/local
CC      ?= cc
OPT     ?= -O2 -g
ALL_ROOMS := $(shell awk '!/^\#/ && NF >= 2 {print $$2}' src/LAYERS)
ROOMS   ?= $(ALL_ROOMS)

# Each library by its pkg-config name, and the Debian and Ubuntu package that has it.
PKGS     := jansson yaml-0.1 libuv libcurl sqlite3 libseccomp
PACKAGE_jansson    := libjansson-dev
PACKAGE_yaml-0.1   := libyaml-dev
PACKAGE_libuv      := libuv1-dev
PACKAGE_libcurl    := libcurl4-openssl-dev
PACKAGE_sqlite3    := libsqlite3-dev
PACKAGE_libseccomp := libseccomp-dev
ifeq ($(filter clean help,$(MAKECMDGOALS)),)
ifeq ($(shell command -v pkg-config),)
$(error pkg-config is missing: apt-get install pkg-config)
endif
MISSING := $(strip $(foreach p,$(PKGS),$(shell pkg-config --exists $p || echo $p)))
$(foreach p,$(MISSING),$(info $p is missing: apt-get install $(PACKAGE_$p)))
$(if $(MISSING),$(error libraries are missing; ./quickstart installs them))
endif

PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wundef -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wpointer-arith -Wimplicit-fallthrough -Wnull-dereference $(if $(DEV),-Werror)
# Instrumented code makes gcc see null pointers and cut texts that are not there.
WARN += $(if $(SAN),-Wno-null-dereference -Wno-format-truncation -Wno-maybe-uninitialized)
CPPFLAGS += -D_GNU_SOURCE -Isrc -include src/base/banned.h $(PKG_CFLAGS)
HARDEN   := -fstack-protector-strong -fPIE $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
CFLAGS   += -std=c11 $(OPT) $(WARN) $(HARDEN) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
LDFLAGS  += -pie $(if $(SAN),-fsanitize=$(SAN)) -Wl,-z,relro,-z,now
LIBS     := $(PKG_LIBS) -lm -lpthread -ldl

SRC   := $(sort $(foreach r,$(ROOMS),$(wildcard src/$(r)/*.c)))
OBJ   := $(SRC:%.c=$B/%.o)
TESTS := $(sort $(foreach r,$(ROOMS),$(wildcard tests/unit/$(r)/t_*.c)))
TBIN  := $(TESTS:%.c=$B/%)
# Each fuzzer's harness with a main() that replays its corpus: what was found once stays found.
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
REPLAYS := $(FUZZERS:%=$B/tests/fuzz/replay_%)

$(if $(filter $(ALL_ROOMS),$(ROOMS)),,$(error no such room in ROOMS))
# V=1 shows the commands themselves.
Q   := $(if $V,,@)
say = $(if $V,@:,@echo '  $(1) $@')

.PHONY: all objects unit test asan lint tidy redteam redteam-break escape leak fuzz install help demo compat bench bundle clean
all: $B/geak $B/libgeakbox.so

$B/geak: $B/src/main.o $B/libgeak.a
	$(call say,link)
	$Q$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$B/libgeak.a: $(OBJ)
	@rm -f $@
	$(call say,ar)
	$Qar rcs $@ $^

# The sandbox from within, for the worker's ctypes: never instrumented, the interpreter is not either.
BOX_SRC := $(patsubst %,src/box/%.c,tree landlock filter mount root group inside peer stub witness)
$B/libgeakbox.so: $(BOX_SRC) $(wildcard src/box/*.h)
	@mkdir -p $(@D)
	$(call say,cc)
	$Q$(CC) $(CPPFLAGS) -std=c11 $(OPT) $(WARN) -fstack-protector-strong -fPIC -shared -Wl,-z,relro,-z,now \
		-o $@ $(BOX_SRC) $(shell pkg-config --libs libseccomp) -ldl

$B/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$(notdir $(patsubst %/,%,$(dir $*)))) -MMD -MP -c -o $@ $<

$B/tests/fuzz/replay_%: tests/fuzz/fuzz_%.c tests/fuzz/replay.c $B/libgeak.a
	@mkdir -p $(@D)
	$(call say,cc)
	$Q$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -DCORPUS='"tests/fuzz/corpus/$*"' -o $@ $(filter %.c %.a,$^) $(LDFLAGS) $(LIBS)

$B/tests/%: tests/%.c $B/libgeak.a
	@mkdir -p $(@D)
	$(call say,cc)
	$Q$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -o $@ $< $B/libgeak.a $(LDFLAGS) $(LIBS)

# The machine's loops: fast, but never at the price of exactness. Nobody reads the floating-point flags, so
# that both sides of a choice may be computed; registers are of many types.
CFLAGS_vm := -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-strict-aliasing

# Every element of every output passes through these loops, which become vector code under these; no sum is
# reordered, no product fused.
$B/src/judge/compare.o $B/src/judge/ulp.o: CFLAGS += -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math

# Drivers that are none, for tests of the GPU's devices: no GPU is needed for them.
STANDINS := $(addprefix $B/tests/standin/,libcuda.so.1 libamdhip64.so libhealth.so)
$B/tests/standin/libcuda.so.1: STANDIN = -DCUDA
$B/tests/standin/libhealth.so: tests/standin/health.c
$(filter-out %libhealth.so,$(STANDINS)): tests/standin/driver.c tests/standin/kernels.c tests/standin/standin.h
$(STANDINS):
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=c11 $(OPT) $(WARN) $(STANDIN) -fPIC -shared -o $@ $(filter %.c,$^)

objects: $(OBJ)
unit: $(TBIN) $(STANDINS)
	prove -e '' $(TBIN)

# Everything: units, the seeds of the fuzzers, the command line, the worker. GEAK is what the command tests run.
test: all $(TBIN) $(REPLAYS) $(STANDINS) $B/tests/vm/vmrun
	GEAK=$B/geak GEAK_SHARE=$(CURDIR) VMRUN=$B/tests/vm/vmrun prove -j2 -e tests/run $(TBIN) $(REPLAYS) \
		$(wildcard tests/command/t_*.sh) $(wildcard tests/worker/t_*.py) $(wildcard tests/vm/t_*.py)

# The same with AddressSanitizer and UBSan, in a build folder of its own.
asan:
	$(MAKE) test B=$B/asan SAN=address,undefined

lint:
	$(MAKE) objects $B/lint-gcc/src/main.o B=$B/lint-gcc CC=gcc DEV=1
	$(MAKE) objects $B/lint-clang/src/main.o B=$B/lint-clang CC=clang DEV=1
	$(MAKE) all
	tools/check_layers
	CPPFLAGS='$(CPPFLAGS)' tools/check_headers
	tools/check_budget
	tools/check_docs $B/geak
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance --inline-suppr \
		--suppressions-list=tools/cppcheck.supp '-Djson_array_foreach(a,i,v)=for(i=0;(v=json_array_get(a,i));i++)' \
		'-Djson_object_foreach(o,k,v)=for(k=0;(v=json_object_get(o,k));)' -D_GNU_SOURCE -Isrc src
	shellcheck --severity=warning quickstart .ci/run tests/run tests/command/*.sh tools/check_headers tools/check_docs tools/compat tools/demo tools/bundle tools/bundle_quickstart
	mandoc -Tlint -Wwarning docs/man/*.1
	$(MAKE) tidy

# clang-tidy, two at a time; one file each, since version 14 confuses va_list from the second file on.
tidy:
	printf '%s\n' src/main.c $(SRC) | xargs -P2 -I{} clang-tidy --quiet {} -- -std=c11 $(CPPFLAGS)

# Candidates that try to cheat, honest ones, and what is left of them all: minutes.
redteam: all
	GEAK_SHARE=$(CURDIR) $B/geak redteam
	GEAK=$B/geak GEAK_SHARE=$(CURDIR) prove -e tests/run tests/exploits/aftermath.py

# Each defence switched off once, in a copy of the source: which exploits get through then. Ten minutes; goes on where it was.
redteam-break: all
	tests/run tests/exploits/break.py -b $B/break

# Attempts to get out of the sandbox, from inside it, on each containment level: minutes.
escape: all $B/tests/escape/lower
	GEAK=$B/geak GEAK_SHARE=$(CURDIR) LOWER=$B/tests/escape/lower prove -v -e tests/run tests/escape/run.py

# N candidates in a row through one geak: memory, descriptors, processes, mounts and files stay flat.
N ?= 200
leak: all
	GEAK=$B/geak GEAK_SHARE=$(CURDIR) tests/run tests/leak.py -n $(N)

# make fuzz FUZZ=yaml SECONDS=600: libFuzzer under ASan and UBSan, from the kept seeds; finds land in build/fuzz.
FUZZ    ?= yaml
SECONDS ?= 60
fuzz:
	$(MAKE) $B/fuzz/libgeak.a B=$B/fuzz CC=clang SAN=fuzzer-no-link,address,undefined
	@mkdir -p $B/fuzz/found/$(FUZZ)
	clang $(CPPFLAGS) -Itests -std=c11 -g -fsanitize=fuzzer,address,undefined tests/fuzz/fuzz_$(FUZZ).c \
		$B/fuzz/libgeak.a $(LIBS) -o $B/fuzz/fuzz_$(FUZZ)
	$B/fuzz/fuzz_$(FUZZ) -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix=$B/fuzz/found/$(FUZZ)- $B/fuzz/found/$(FUZZ) tests/fuzz/corpus/$(FUZZ)

SHARED := worker prompts recipes knowledge suites selftest
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/geak $(DESTDIR)$(PREFIX)/share/geak \
		$(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $B/geak $(DESTDIR)$(PREFIX)/bin/geak
	install -m 755 $B/libgeakbox.so $(DESTDIR)$(PREFIX)/lib/geak/libgeakbox.so
	tar -c --exclude=__pycache__ $(SHARED) | tar -x --no-same-owner -C $(DESTDIR)$(PREFIX)/share/geak
	install -d $(DESTDIR)$(PREFIX)/share/geak/redteam
	tar -c --exclude=__pycache__ --exclude=./README.md --exclude=./break.py --exclude=./aftermath.py -C tests/exploits . | \
		tar -x --no-same-owner -C $(DESTDIR)$(PREFIX)/share/geak/redteam
	install -m 644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1

# A folder and an archive that run on any x86-64 Linux with a glibc no older than this one's. Libraries lie in
# lib/ and are found from the program (RPATH, not RUNPATH: what libraries need in turn must be found there too).
$B/bundled/geak: $B/src/main.o $B/libgeak.a
	@mkdir -p $(@D)
	$(call say,link)
	$Q$(CC) $(LDFLAGS) -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/../lib' -o $@ $^ $(LIBS)

$B/bundled/libgeakbox.so: $B/libgeakbox.so
	@mkdir -p $(@D)
	$(call say,link)
	$Q$(CC) $(CPPFLAGS) -std=c11 $(OPT) $(WARN) -fstack-protector-strong -fPIC -shared -Wl,-z,relro,-z,now \
		-Wl,--disable-new-dtags,-rpath,'$$ORIGIN/..' -o $@ $(BOX_SRC) $(shell pkg-config --libs libseccomp) -ldl

BUNDLE ?= $B
bundle: $B/bundled/geak $B/bundled/libgeakbox.so
	tools/bundle $B/bundled $(BUNDLE)

# The agent's main job on the starter suite, with recorded answers: no network, no GPU, no key.
demo: all
	tools/demo $B/geak

# The worker's tests with other versions of triton, each in an environment of its own (several GB).
compat: all
	tools/compat 3.6.0 3.7.1 3.9.0

bench: $B/tests/vm/vmrun
	VMRUN=$< tests/run bench/vm/bench.py

# For bench/capture_tritonbench.py's plans: read, validated, executed.
$B/bench/study/plans: bench/study/plans.c bench/study/inputs.c bench/study/inputs.h $B/libgeak.a
	@mkdir -p $(@D)
	$(call say,cc)
	$Q$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $(filter %.c %.a,$^) $(LDFLAGS) $(LIBS)

help:
	@echo 'make            build/geak'
	@echo 'make test       all tests: units, fuzzers'"'"' seeds, command line, worker'
	@echo 'make unit       only the units; ROOMS="base num" only those of some rooms'
	@echo 'make asan       all tests with AddressSanitizer and UBSan'
	@echo 'make lint       strict warnings with gcc and clang, clang-tidy, cppcheck, layers, headers, docs, budgets'
	@echo 'make fuzz       FUZZ=$(subst $() $(),|,$(FUZZERS)) SECONDS=60'
	@echo 'make redteam    candidates that try to cheat, honest ones, and what is left of them'
	@echo 'make redteam-break   each defence switched off once: which exploits get through then'
	@echo 'make escape     attempts to get out of the sandbox'
	@echo 'make leak       N=200 candidates in a row, and what grows'
	@echo 'make demo       the starter suite with recorded answers'
	@echo 'make compat     the worker'"'"'s tests with triton 3.6.0, 3.7.1 and 3.9.0'
	@echo 'make bench      the machine against the Triton interpreter'
	@echo 'make install    PREFIX=/usr/local DESTDIR='
	@echo 'make bundle     BUNDLE=build: a folder and an archive that run elsewhere, without development packages'
	@echo 'make clean'

clean:
	rm -rf $B

-include $(OBJ:.o=.d) $(TBIN:=.d) $B/src/main.d $B/tests/vm/vmrun.d
