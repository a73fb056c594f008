# geak: `make` builds build/geak, `make help` lists the rest.
# B=DIR builds elsewhere; SAN=address,undefined instruments; DEV=1 makes warnings errors;
# ROOMS="base num" builds and tests only these rooms (no program).
B       ?= build
PREFIX  ?= /usr/local
CC      ?= cc
OPT     ?= -O2 -g
ALL_ROOMS := $(shell awk '!/^\#/ && NF >= 2 {print $$2}' src/LAYERS)
ROOMS   ?= $(ALL_ROOMS)

PKGS     := jansson yaml-0.1 libuv libcurl sqlite3 libseccomp
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wundef -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wpointer-arith -Wimplicit-fallthrough -Wnull-dereference $(if $(DEV),-Werror)
CPPFLAGS += -D_GNU_SOURCE -Isrc -include src/base/banned.h $(PKG_CFLAGS)
HARDEN   := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
CFLAGS   += -std=c11 $(OPT) $(WARN) $(HARDEN) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
LDFLAGS  += -pie $(if $(SAN),-fsanitize=$(SAN)) -Wl,-z,relro,-z,now
LIBS     := $(PKG_LIBS) -lm -lpthread -ldl

SRC   := $(sort $(foreach r,$(ROOMS),$(wildcard src/$(r)/*.c)))
OBJ   := $(SRC:%.c=$B/%.o)
TESTS := $(sort $(foreach r,$(ROOMS),$(wildcard tests/unit/$(r)/t_*.c)))
TBIN  := $(TESTS:%.c=$B/%)

$(if $(filter $(ALL_ROOMS),$(ROOMS)),,$(error no such room in ROOMS))
.PHONY: all objects unit clean
all: $B/geak $B/libgeakbox.so

$B/geak: $B/src/main.o $B/libgeak.a
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$B/libgeak.a: $(OBJ)
	@rm -f $@
	ar rcs $@ $^

# The sandbox from within, for the worker's ctypes: never instrumented, the interpreter is not either.
BOX_SRC := $(patsubst %,src/box/%.c,tree landlock filter mount inside stub)
$B/libgeakbox.so: $(BOX_SRC) $(wildcard src/box/*.h)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=c11 $(OPT) $(WARN) -fstack-protector-strong -fPIC -shared -Wl,-z,relro,-z,now \
		-o $@ $(BOX_SRC) $(shell pkg-config --libs libseccomp)

$B/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$(notdir $(patsubst %/,%,$(dir $*)))) -MMD -MP -c -o $@ $<

$B/tests/%: tests/%.c $B/libgeak.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -o $@ $< $B/libgeak.a $(LDFLAGS) $(LIBS)

# The machine's loops: fast, but never at the price of exactness.
CFLAGS_vm := -O3 -ffp-contract=off -fno-math-errno

objects: $(OBJ)
unit: $(TBIN)
	prove -e '' $(TBIN)

clean:
	rm -rf $B

-include $(OBJ:.o=.d) $(TBIN:=.d) $B/src/main.d
