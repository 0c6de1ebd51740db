# conex: what one types. Each target is a script of ci/ or a preset of CMakePresets.json.

PREFIX ?= /usr/local
ARGS ?=
MINUTES ?= 30

.DEFAULT_GOAL := help
.PHONY: help setup build test demo install check soak bench header clean

help: ## This list
	@echo "make TARGET, with TARGET one of"
	@sed -n 's/^\([a-z]*\): .*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r target text; do printf '  %-10s%s\n' "$$target" "$$text"; done

setup: ## Install what is missing to build (Debian, Ubuntu; asks for root only if something is)
	ci/setup.sh build

build: ## Build both libraries and the tests into build/release
	ci/build.sh release

test: ## Set-up, cargo's tests, CTest, the consumer projects
	ci/test.sh

demo: ## Count the words of a text with all cores: make demo ARGS="--compare DIR"
	ci/demo.sh $(ARGS)

install: ## Install libraries, headers, CMake package and conex.pc: make install PREFIX=DIR (DESTDIR is honoured)
	ci/install.sh "$(PREFIX)"

check: ## What goes beyond the tests: lints, Clang, sanitizers, model checkers: make check ARGS="lint preset-dev"
	ci/check.sh $(ARGS)

soak: ## Repeat the stress tests: make soak MINUTES=30
	ci/soak.sh $(MINUTES)

bench: ## Measure beside other libraries: make bench QUICK=1 ONLY=queue
	QUICK="$(QUICK)" ONLY="$(ONLY)" ci/bench.sh

header: ## Generate include/conex/conex.h anew from src/ffi
	ci/header.sh

clean: ## Remove what was built
	rm -rf build target
