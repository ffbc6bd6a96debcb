# Threadmill: build, test and check. `make` lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 10s
# What test, bench and fuzz look at.
PKG ?= ./...

# The tools are pinned in tools/go.mod, apart from the product's dependencies.
TOOL := go tool -modfile=tools/go.mod
# Folders that Go files may stand in; the formatter looks nowhere else.
GODIRS := $(wildcard cmd internal templates threads)
# The race detector needs cgo and with it a C compiler. It watches every package: one that is left out may share its
# instances of generic code, such as atomic.Pointer, with those that are not, and then they seem to race.
# Only the pointers of SQLite, which is C in the words of Go and asks at every step, are not looked at: with them the
# tests take twice as long.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race -gcflags='modernc.org/...=-d=checkptr=0')

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: ## build the static binary bin/threadmill
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/threadmill ./cmd/threadmill

# Many tests wait for processes, relays and timers: twice as many run at a time as there are processors.
PARALLEL = -parallel $$((2 * $$(getconf _NPROCESSORS_ONLN)))

.PHONY: test
test: peers ## run all tests, with the race detector where there is a C compiler
	@$(if $(RACE),:,echo 'no C compiler: the tests run without the race detector')
	go test $(RACE) $(PARALLEL) -timeout 20m $(PKG)

.PHONY: short
short: ## run the quick tests without the race detector
	go test -short $(PKG)

.PHONY: peers
peers: ## install the programs that some tests compare with
	@tools/install-test-peers.sh

.PHONY: fmt
fmt: ## format the code and rewrite old idioms
	go fix ./...
	$(TOOL) gofumpt -w $(GODIRS)

.PHONY: lint
lint: ## vet, format, lint, dead code and import arrows
	go vet ./...
	@tools/empty.sh 'not formatted; run make fmt' $(TOOL) gofumpt -l $(GODIRS)
	@tools/empty.sh 'old idioms; run make fmt' go fix -diff ./...
	$(TOOL) golangci-lint run ./...
	@tools/empty.sh 'dead code' $(TOOL) deadcode -test ./...
	go test ./internal

# BenchmarkThroughput alone, with more recipients:
# go test -run '^$' -bench Throughput ./internal/deliver -recipients 100000
.PHONY: bench
bench: ## run the benchmarks; compare two runs with go tool -modfile=tools/go.mod benchstat
	go test -run '^$$' -bench . -benchmem $(PKG)

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s)
	@for pkg in $$(go list $(PKG)); do \
	  for target in $$(go test -list '^Fuzz' "$$pkg" | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
	  done; \
	done

.PHONY: cover
cover: ## write the coverage of all tests to bin/cover.html
	@mkdir -p bin
	go test -coverpkg=./... -coverprofile=bin/cover.out ./...
	go tool cover -html=bin/cover.out -o bin/cover.html
	go tool cover -func=bin/cover.out | tail -n 1

.PHONY: vuln
vuln: ## look for known vulnerabilities (needs the network)
	$(TOOL) govulncheck ./...

.PHONY: dist
dist: ## write a release into bin/dist: archives for six targets, deb and rpm, the same bytes each time
	packaging/dist.sh $(VERSION) $(TARGETS)

.PHONY: test-deb
test-deb: ## install the deb of bin/dist in a Debian root (needs root and debootstrap)
	packaging/test-deb.sh

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf bin
