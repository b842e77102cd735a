# Short front of meson and of the scripts in tools/. `make help` lists what there is.
RECIPIENTS ?= 20000
ONLY ?=
SECONDS ?= 600
.DEFAULT_GOAL := build
.PHONY: build demo deb check nightly bench bench-peers fuzz format tidy clean help setup

build: ## build/tsubame and build/tsubame-sim (installs what the build needs)
	@tools/setup build run
	@QUIET=1 tools/build release

demo: build ## send RECIPIENTS=20000 mails to a made-up internet and account for each
	@tools/demo --recipients $(RECIPIENTS)

check: ## all tests; ends with a line "N passed, N failed, N skipped"
	@tools/setup build run test deb package
	@tools/check

nightly: ## 1,000 crash rounds of each kind, long fuzzing, half an hour of mixed work, the container; goes on when called again
	@tools/setup build run test deb package nightly
	@QUIET=1 tools/build release
	@tools/nightly

deb: ## Debian packages of the commit that is checked out -> build/deb
	@tools/setup build deb
	@tools/deb

bench: build ## the figures (ONLY=id,id for some) -> build/bench.json
	@tools/bench $(if $(ONLY),--only $(ONLY))

bench-peers: build ## Debian's Postfix on the same work, beside ours
	@tools/setup build test
	@tools/bench --peers $(if $(ONLY),--only $(ONLY))

fuzz: ## every fuzz target for SECONDS=600 each
	@tools/setup build test
	@tools/fuzz --seconds $(SECONDS)

format: ## clang-format on all C files
	@git ls-files '*.c' '*.h' | xargs -r clang-format -i

tidy: ## clang-tidy on all C files
	@tools/setup build test
	@CONFIGURE=only tools/build clang
	@tools/tidy build/clang

clean: ## remove all that was built, but the private roots with downloaded packages
	@for d in build/*; do [ "$$d" = build/roots ] || rm -rf "$$d"; done

help:
	@awk -F ': .*## |## ' '/^[a-z-]+:.*##/ { printf "make %-12s %s\n", $$1, $$2 }' Makefile
