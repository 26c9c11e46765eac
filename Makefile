# The front door.
#
#   make            the nginx module and the persister
#   make demo       install what is missing, start everything fresh, book and cancel, stay up
#   make up, down   start and stop the stack (RUN_DIR, *_PORT, KAFKA=no: see stack/settings.sh)
#   make check      every test; or one suite: check-lua check-unit check-persister check-module check-e2e
#                   check-browser check-compose
#   make bench      every figure, 35 minutes on an idle machine; or one: bench/edge-cpu … (bench/README.md)
#   make load       50,000 users in 2 s: bench/rush; make soak MINUTES=5: memory under a steady load
#   make check-newest  most suites with the newest nginx, hiredis, librdkafka, Redis and MySQL, of Debian unstable
#   make asan       the core suites with ASan and UBSan in nginx, the module and the persister
#   make valgrind   fewer suites under memcheck
#   make install    DESTDIR= PREFIX=
#   make static     nginx from Debian's source with the module compiled in
#   make clean

DESTDIR     ?=
PREFIX      ?= /usr/local
SYSCONFDIR  ?= /etc
# where this machine's nginx looks for modules
MODULES_DIR ?= $(shell nginx -V 2>&1 | sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p')

SUITES := lua unit persister module e2e browser compose

# a build at a time, however many people call make in this checkout
LOCKED := mkdir -p build && flock build/.lock

.PHONY: all module persister static install demo up down check check-newest asan valgrind bench load soak clean $(SUITES:%=check-%)

all: module persister

module:
	@$(LOCKED) stack/build-module

persister:
	@$(LOCKED) $(MAKE) --no-print-directory -s -C persister

static:
	@$(LOCKED) stack/build-static

install: all
	@test -n "$(MODULES_DIR)" || { echo "error: there is no nginx to ask for its modules' folder; give MODULES_DIR=" >&2; exit 1; }
	install -d $(DESTDIR)$(MODULES_DIR)
	install -m 644 build/ngx_http_ticket_module.so $(DESTDIR)$(MODULES_DIR)/
	install -d $(DESTDIR)$(PREFIX)/share/ticket/web
	install -m 644 web/* $(DESTDIR)$(PREFIX)/share/ticket/web/
	$(MAKE) -C persister install DESTDIR="$(abspath $(DESTDIR))" PREFIX="$(PREFIX)" SYSCONFDIR="$(SYSCONFDIR)"

demo:
	@stack/demo

up: all
	@stack/up

down:
	@stack/down

check:
	@stack/check $(SUITES)

$(SUITES:%=check-%): check-%:
	@stack/check $*

# ended with make, even when that is killed
check-newest asan valgrind:
	@setpriv --pdeathsig TERM stack/$(@:check-%=%)

bench: all
	@bench/all

load: all
	@bench/rush

soak: all
	@bench/soak $(MINUTES)

clean:
	rm -rf build
	$(MAKE) -C persister clean
