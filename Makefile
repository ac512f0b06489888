# `make help` lists the targets.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
FUZZTIME    ?= 10s
LINEARTIME  ?= 60s
KILLS       ?= -limit 50ms
SOAK        ?= 10m
SEED        ?= 0

.DEFAULT_GOAL := help
.PHONY: help test race fuzz bench prove kills model linear soak lint cover fmt ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## run the tests of every module
	go test work

race: ## run the tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race work

fuzz: ## run every fuzz target, each for FUZZTIME (default 10s)
	tools/fuzz $(FUZZTIME)

bench: ## run the benchmarks of the library
	go test -run '^$$' -bench . -benchmem ./...

prove: ## show on this machine that the promises hold
	go run ./internal/prove

kills: ## kill and stop processes at every step of the protocol (all points: KILLS="-full -limit 50ms")
	go test -tags ultradict_failpoints -timeout 3h -v -run TestMatrix ./internal/killmatrix -args $(KILLS) | grep -v -e '=== ' -e '/[0-9] '

model: ## check the models of the protocol (needs spin and a C compiler)
	docs/model/run

linear: ## check histories of killed processes for LINEARTIME (default 60s)
	go run ./linear -for $(LINEARTIME)

soak: ## kill, stop and verify for SOAK (default 10m), with choices of SEED
	go run -tags ultradict_failpoints ./internal/soak -for $(SOAK) -seed $(SEED)

lint: ## check the format, go vet, staticcheck, errcheck
	tools/lint

cover: ## show how much of each function the tests reach
	go test -coverprofile=cover.out ./...
	go tool cover -func=cover.out

fmt: ## format the Go files
	gofmt -w .

ci: ## do all that is done before a change is accepted
	.ci/run
