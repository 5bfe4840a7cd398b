# Linegate. `make` or `make help` lists the targets.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-print-directory

FUZZTIME ?= 60s
BENCH    ?= .
SOAK     ?= 1h
# Flags of `linegate bench peers`, e.g. --quick or --rows echo,users.
PEERS    ?=
# The least share of statements that the tests must reach, in percent.
COVER    ?= 85

# The RADIUS library that plays a NAS in tests: one that is not ours.
PYRAD    ?= 2.6.0

# SQLite is C that was turned into Go. The race detector and the check of pointers make
# it three times as slow and have nothing to find there: it is not ours.
RACE = -race '-gcflags=modernc.org/sqlite/lib=-race=false -d=checkptr=0' '-gcflags=modernc.org/libc=-race=false -d=checkptr=0'

# The gRPC client of VOLTHA is made from $(PROTO)/voltha.proto.
PROTO = provisioning/voltha/volthapb

# Every shipped configuration of the server itself.
CONFIGS = $(filter-out configs/prometheus-%,$(wildcard configs/*.yaml))

.DEFAULT_GOAL := help
.PHONY: help build run check generate generated protoc test soak test-peers fuzz bench bench-peers cover tools clean

help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
	@echo "  Variables: FUZZTIME=$(FUZZTIME)  BENCH=$(BENCH)  SOAK=$(SOAK)  PEERS=$(PEERS)  COVER=$(COVER)"

build: ## Build bin/linegate
	@CGO_ENABLED=0 go build -trimpath -o bin/linegate ./cmd/linegate

run: build ## Serve configs/demo.yaml (LINEGATE_* variables override it)
	@exec ./bin/linegate serve --config configs/demo.yaml

check: build ## gofmt, vet, staticcheck, architecture test, every shipped config loads
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt -w is needed for:"; echo "$$unformatted"; exit 1; fi
	@go vet ./...
	@go tool staticcheck ./...
	@go test .
	@for config in $(CONFIGS); do ./bin/linegate config check "$$config"; done

generate: tools ## Make the code that is made from $(PROTO)/voltha.proto
	@$(MAKE) protoc OUT=$(PROTO)

generated: tools ## Fail when the committed code is not what voltha.proto makes
	@mkdir -p bin/_generated
	@$(MAKE) protoc OUT=bin/_generated
	@for file in bin/_generated/*.go; do \
		diff -u -I '^// .*protoc' "$(PROTO)/$$(basename "$$file")" "$$file" || \
		{ echo "$(PROTO) is not what its voltha.proto makes: run make generate"; exit 1; }; \
	done

# The comment lines with the versions of the generators are not compared.
protoc:
	@go build -o bin/ google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
	@PATH="$(CURDIR)/bin:$$PATH" protoc -I $(PROTO) --go_out=$(OUT) --go_opt=paths=source_relative \
		--go-grpc_out=$(OUT) --go-grpc_opt=paths=source_relative voltha.proto

test: check generated ## check, then every test with the race detector
	@go test $(RACE) -timeout 30m ./... 2>&1 | tee bin/test.log || { \
		echo; echo "These failed (all of the output: bin/test.log):"; \
		grep -E '^ *--- FAIL|^FAIL|Error Trace:|Error: |Messages:|DATA RACE|^panic:' bin/test.log | cut -c -300; exit 1; }

soak: tools ## Harm the database and the servers under load for SOAK, and count what was acknowledged
	@LINEGATE_SOAK=$(SOAK) go test $(RACE) -count=1 -timeout 0 -v -run TestNothingIsLostWhateverHappensToTheDatabase ./cmd/linegate

test-peers: ## Tests against foreign systems that Debian does not package: a real NetBox, installed in var/peers
	@testdata/peers/netbox.sh sh -ec 'go test -count=1 -timeout 20m -run /real ./provisioning/netbox; go test -count=1 -timeout 20m -run "MoreOrders/real|Environment" ./provisioning; go test -count=1 -timeout 20m -run AnOrder ./cmd/linegate'

fuzz: ## Run every fuzz target for FUZZTIME each
	@grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort | while IFS=: read -r file function; do \
		target=$${function#func }; \
		echo "== $$target in $$(dirname "$$file")"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" </dev/null; \
	done

bench: ## Run the benchmarks that match BENCH
	@go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

bench-peers: build ## Compare with FreeRADIUS on this machine, installed where it is missing (25 minutes at most)
	@./bin/linegate bench peers $(PEERS)

cover: tools ## Total statement coverage over all packages; fails below COVER percent
	@mkdir -p bin
	@go test -coverpkg="$$(go list ./... | grep -v /volthapb$$ | paste -sd,)" -coverprofile=bin/coverage.out ./...
	@go tool cover -func=bin/coverage.out | awk -v least=$(COVER) \
		'/^total:/ { print "total coverage: " $$3; if ($$3 + 0 < least) { print "that is less than " least " %"; exit 1 } }'

tools: ## Install what the tests need and Go does not bring: radclient, the dictionaries of FreeRADIUS, PostgreSQL, pyrad, protoc, a C compiler for -race
	@missing=(); \
	python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv); \
	command -v radclient >/dev/null || missing+=(freeradius-utils); \
	test -f /usr/share/freeradius/dictionary || missing+=(freeradius-common); \
	command -v protoc >/dev/null || missing+=(protobuf-compiler); \
	[ -n "$${TEST_POSTGRES_DSN:-}" ] || command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql); \
	command -v "$$(go env CC)" >/dev/null || missing+=(gcc libc6-dev); \
	if [ $${#missing[@]} -eq 0 ]; then $(MAKE) bin/pyrad/bin/python; exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		echo "The tests need radclient, PostgreSQL, protoc, Python with venv and, for the race detector, a C compiler. There is no apt-get here:"; \
		echo "install what your system calls $${missing[*]}, then run make again."; exit 1; \
	fi; \
	root=(); \
	if [ "$$(id -u)" -ne 0 ]; then \
		command -v sudo >/dev/null || { echo "Run as root: apt-get install $${missing[*]}"; exit 1; }; \
		root=(sudo); \
	fi; \
	"$${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q; \
	"$${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$${missing[@]}"; \
	$(MAKE) bin/pyrad/bin/python

bin/pyrad/bin/python:
	@python3 -m venv bin/pyrad
	@bin/pyrad/bin/pip install --quiet --disable-pip-version-check pyrad==$(PYRAD)

clean: ## Remove what the other targets made
	@rm -rf bin
