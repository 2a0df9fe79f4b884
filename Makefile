# make bench measures this machine; make test checks the code; make help lists all. README.md says how to read what they print.
.DEFAULT_GOAL := help

STEPS ?= 80
COUNT ?= 10
STORE ?=
FORMS ?= raw lz4
BENCH ?= ^BenchmarkEpoch$$
ARGS  ?=
CACHE ?= warm
# A folder, or what the results' names begin with. It comes from the command line alone: OUT is a common name.
OUT =
# make layouts: a benchmark to compare with, the rows, the folder of the stores, the sizes of the caches.
OLD     ?=
ROWS    ?=
LAYOUTS ?=
KEEP    ?=
POOL    ?=
# make gate: how large a change may be, and other flags of tools/report, such as -units or -expect.
THRESHOLD ?= 5%
GATE      ?=
FUZZCOUNT ?= 100x
FUZZTIME  ?= 2m
SEEDS     ?= 20
FAULTS    ?= tools/mutate/testdata/faults.jsonl

GO   ?= go
DATA := fixtures/data
# Benchmarks say which commit they were built from, where git knows it.
VCS := $(if $(shell git rev-parse --verify -q HEAD 2>/dev/null),-buildvcs=true)
# having lists the packages that have files with a line that begins with the pattern $(1).
having = $(sort $(dir $(addprefix ./,$(shell grep -slE '$(1)' $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')))))
# tagged lists the packages that have files with the build tag $(1). All others are the same with the tag and without it.
tagged = $(call having,^//go:build .*$(1)([^a-z]|$$$$))
TAGGED := $(call tagged,gds)
# The packages that have files that only builds without the tag gds have.
UNTAGGED = $(call tagged,!.?gds)

# The race detector needs a C compiler; without one the tests run without it, and say so.
CC_FOUND := $(shell command -v $$($(GO) env CC) 2>/dev/null)
RACE := $(if $(CC_FOUND),-race,)

# The stores that are measured: STORE, or the ERA5 subset, or else synthetic ones.
SYNTHETIC = $(DATA)/synthetic-$(STEPS)
STORES = $(or $(STORE),$(patsubst %/.zgroup,%,$(wildcard $(DATA)/era5.zarr/.zgroup)),$(FORMS:%=$(SYNTHETIC)/%.zarr))
# What every benchmark binary is told: one epoch of each row, on those stores.
ONCE = -test.run='^$$' -test.bench='$(BENCH)' -test.benchtime=1x $(addprefix -store ,$(STORES)) -cache $(CACHE)
# Where results go: in front of their names.
TO = $(OUT)$(if $(filter-out %/,$(OUT)),$(if $(wildcard $(OUT)/.),/))
# A protocol of tools/bench, its flags, and those of the binaries.
PROTOCOL = $(GO) run ./tools/bench $@ -count $(COUNT) -out '$(TO)' -report '$(GO) run ./tools/report' -- $(ONCE) $(ARGS)

.PHONY: help bench compare study layouts baseline gate stores folder bench.test gds.test test ci check cross fuzz-smoke bench-smoke layers unit soak fuzz mutate interop cufile ptxas arch kit kit-smoke clean

help: ## the targets that one types, and what they do; make test and make ci run the others
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

bench: stores folder bench.test ## measure epochs COUNT times, each in a process of its own, into cpu.txt
	@$(GO) run ./tools/bench -count $(COUNT) -o $(TO)cpu.txt ./bench.test -- $(ONCE) $(ARGS)
	@$(GO) run ./tools/report $(TO)cpu.txt

compare: CACHE = cold
compare: stores folder bench.test gds.test ## both ways to the GPU, in turn and from a cold page cache, into cpu.txt (host) and gpu.txt (gds)
	@$(PROTOCOL)

study: FORMS = raw
study: CACHE = as-is
study: stores folder bench.test gds.test ## by the study's protocol: a process an engine, gds first, COUNT epochs in it that each open the store, through the page cache as it is
	@$(PROTOCOL)

# The files stand in results, for there are many of them. OLD is a benchmark that go test -c built, ROWS a regular expression.
layouts: OUT = results/layouts-
layouts: folder bench.test ## on stores of other layouts (18 GB): this state, that of OLD=BINARY, tensorstore, C-Blosc, in turn
	@$(GO) run ./tools/bench layouts -count $(COUNT) -out '$(TO)' $(if $(OLD),-old '$(OLD)') $(if $(ROWS),-rows '$(ROWS)') $(if $(LAYOUTS),-data '$(LAYOUTS)') \
		$(if $(KEEP),-keep '$(KEEP)') $(if $(POOL),-pool '$(POOL)') -report '$(GO) tool benchstat' -- $(ARGS)

baseline: ## keep this state's benchmarks, to which make gate compares later ones
	$(GO) test -c $(VCS) -o baseline.test .

gate: stores folder bench.test ## measure the baseline and this state in turn, and fail if this one is slower
	@$(PROTOCOL) -- -threshold $(THRESHOLD) $(GATE)

folder: # makes the folder that OUT names
	@mkdir -p '$(dir $(TO)x)'

stores: # makes the synthetic stores where there are no others
ifeq ($(STORE)$(wildcard $(DATA)/era5.zarr/.zgroup),)
	@echo 'No ERA5 subset in $(DATA): the data are SYNTHETIC fields of its shape and entropy, which observe nothing.'
	@for form in $(FORMS); do $(GO) run ./tools/era5 -synthetic -steps $(STEPS) -form $$form -out $(SYNTHETIC)/$$form.zarr || exit 1; done
endif

bench.test:
	@$(GO) test -c $(VCS) -o $@ .

gds.test:
	@$(GO) test -c $(VCS) -tags gds -o $@ .

test: check cross fuzz-smoke bench-smoke layers unit ## every check that needs no other software

ci: interop cufile ptxas arch kit-smoke test ## make test, and what needs other software

# lint checks the packages $(2) with the tag $(1).
define lint
	@echo "vet, fix, staticcheck: tags '$(1)'"
	@CGO_ENABLED=0 $(GO) vet -tags '$(1)' $(2)
	@$(GO) fix -diff -tags '$(1)' $(2)
	@$(GO) tool staticcheck -tags '$(1)' $(2)
endef

check: ## format, vet, modernizers, staticcheck, go.mod, workflows
	@bad=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); [ -z "$$bad" ] || { echo "gofmt: $$bad"; exit 1; }
	$(call lint,gds,./...)
	$(call lint,,$(TAGGED))
	$(call lint,purego,$(call tagged,purego))
	$(call lint,noclib,$(call tagged,noclib))
	$(GO) mod tidy -diff
	$(GO) tool actionlint -config-file .github/actionlint.yaml -shellcheck= -pyflakes= .github/workflows/*.yml

# vet_for checks the packages for GOOS $(1) and GOARCH $(2), those with files of the tag gds also with that.
define vet_for
	CGO_ENABLED=0 GOOS=$(1) GOARCH=$(2) $(GO) vet ./...
	CGO_ENABLED=0 GOOS=$(1) GOARCH=$(2) $(GO) vet -tags gds $(TAGGED)
endef

# vet compiles what other packages import, assembly included, and checks the types of the rest and of all tests.
cross: # what this machine can build for others, tests included
	$(call vet_for,linux,arm64)
	$(call vet_for,darwin,arm64)
	$(call vet_for,linux,s390x)

fuzz-smoke: # every fuzz target, a few inputs
	CGO_ENABLED=0 $(GO) run ./tools/fuzz -smoke -time $(FUZZCOUNT)

fuzz: ## every fuzz target, for FUZZTIME
	$(GO) run ./tools/fuzz -time $(FUZZTIME)

mutate: ## plant thirty faults of one line, one at a time, and see if the tests catch them; takes hours
	$(GO) run ./tools/mutate -run $(FAULTS) -tests '-short ./zarrio/...' -tests '-short -tags gds ./zarrio/...' \
		-tests './zarrio/...' -tests '-tags gds ./zarrio/...' -tests '-tags gds ./internal/harness'

# The packages with benchmarks, but for the harness and the root, whose benchmarks are the harness's.
BENCHED = $(filter-out ./ ./internal/harness/,$(call having,^func Benchmark))

# make unit runs those of the root: docs has the commands, for host and for the emulated GPU.
bench-smoke: # every benchmark once, but for the root's; those of GPUs are skipped if this machine has none
	CGO_ENABLED=0 $(GO) test -tags gds -run='^$$' -bench=. -benchtime=1x $(BENCHED)

# layer says whether the test $(1) of the package $(2), and so what it stands for, can run here: $(3).
define layer
@out=$$(CGO_ENABLED=0 $(GO) test -count=1 -v -tags gds -run='^$(1)$$' $(2) 2>&1); case "$$out" in \
	*'--- PASS: $(1)'*) echo 'layer: $(3)' ;; \
	*'--- SKIP: $(1)'*) echo 'layer skipped: $(3):' "$$(echo "$$out" | sed -n 's/^ *[a-z_]*\.go:[0-9]*: //p')" ;; \
	*) echo "$$out"; exit 1 ;; esac
endef

layers: # which tests of what needs a GPU can run here, and why others can't
	@echo 'layer: vet and build with the tag gds, for amd64 and arm64 (make check, make cross)'
	@echo 'layer: benchmarks without a GPU are skipped, and say why (make unit)'
	$(call layer,TestPrintEnvironment,./internal/cudaemu,tests over the emulated GPU and its interpreter of PTX (make unit))
	$(call layer,TestGenerate,./zarrio/internal/ptx,go generate makes kernels.ptx byte for byte (make unit))
	$(call layer,TestChromiumNumbers,./tools/report/internal/page,the page of the report in Chromium (make unit))
	@echo 'layer: what make ci adds are NVIDIA'\''s libcufile (make cufile) and its assembler (make ptxas), and other CPUs (make arch)'

# The packages that start goroutines, or whose tests do. Left out are those whose tests start processes, into which the race
# detector doesn't see, and tests that differ from others in data and not in what runs at once. make soak has them all.
CONCURRENT = $(filter-out ./internal/cudaemu/ ./internal/harness/ ./tools/%,\
	$(call having,^[[:space:]]*go [a-z]|\.(Go|Parallel|Together)[^a-zA-Z])) ./tools/era5/ ./tools/zarrinfo/ ./tools/report/internal/summary/
ALIKE = ^Test(ChunkParts|ChunkPartsOfShards|GDSTiles|GDSTaskSizes|GPUCalls|ShardReadsOnce|SyntheticLayouts)$$|^TestZip$$/^(folder|file|prepended|zip64)
# Without the option a process with the race detector waits a second before it ends.
race = GORACE=atexit_sleep_ms=0 $(GO) test -timeout=30m -short $(RACE) -tags gds

unit: ## all tests, and with the race detector those of packages that start goroutines
	@$(if $(RACE),true,echo 'no C compiler: the race detector is skipped')
	CGO_ENABLED=0 $(GO) test -timeout=30m -short -tags purego $(call tagged,purego)
	CGO_ENABLED=0 $(GO) test -timeout=30m -tags gds ./...
	CGO_ENABLED=0 $(GO) test -timeout=30m -short $(UNTAGGED)
	$(if $(RACE),$(race) -skip='$(ALIKE)' $(CONCURRENT))
	$(if $(RACE),$(race) -run='^Test(Decoders|Streams|DigestAndLoss)$$' ./zarrio/codec ./internal/harness)

soak: ## all tests with the race detector, cuFile's over NVIDIA's library, random ones SEEDS times
	$(GO) test -timeout=60m $(RACE) -tags gds ./...
	$(GO) test -timeout=60m $(RACE) $(TAGGED)
	./zarrio/internal/cufile/real.sh $(CUFILE)
	$(GO) test -timeout=120m -count=$(SEEDS) -run=Random -tags gds ./zarrio/...

# The packages that use cuFile.
CUFILE = ./zarrio/internal/cufile ./zarrio/gpu ./zarrio/gpu/gdsinfo ./tools/gdscheck ./internal/harness

cufile: # what uses cuFile, over NVIDIA's own library instead of the emulated one
	./zarrio/internal/cufile/real.sh -short $(CUFILE)

ptxas: # NVIDIA's assembler takes the kernels for every GPU since 2014
	./zarrio/internal/ptx/ptxas.sh

# on_cpu runs the tests of the packages $(3) for GOARCH $(1) on the CPU that the command $(2) emulates. $(4) says whether it can
# run the vector code, which TestKernels compares with what that code finds. Left out are what -short leaves out, and C
# libraries, of which an emulator has none for other CPUs.
define on_cpu
@if command -v $(firstword $(2)) > /dev/null; then echo 'tests for $(1), by $(2):'; \
	CGO_ENABLED=0 GOARCH=$(1) GOAMD64=v1 ZARRIO_KERNELS=$(4) $(GO) test -timeout=30m -short -tags noclib -exec '$(2)' $(3); \
else echo 'tests for $(1) are skipped: there is no $(firstword $(2)), which the package qemu-user has'; fi
endef

# The packages whose code may be right for one CPU alone: they have assembly, floats, system calls or the layout of memory.
# ./zarrio and ./zarrio/loader stand at the end of all of them.
ARCHED = ./internal/loss ./zarrio ./zarrio/cf ./zarrio/codec/... ./zarrio/loader ./zarrio/store ./zarrio/tensor \
	$(addprefix ./zarrio/internal/,affine clib cstr fileio float16 hostmem ndcopy numa)

arch: # on emulated CPUs: arm64, what may depend on the CPU, and amd64 without AVX2, the packages with assembly
	$(call on_cpu,arm64,qemu-aarch64,$(ARCHED),yes)
	$(call on_cpu,amd64,qemu-x86_64 -cpu Nehalem,$(call tagged,purego),no)

interop: # other software reads what this one writes
	./tools/interop/run.sh

kit: ## what proves and measures the GPU engines on a machine with a GPU and no network, into .kit; see docs/gpu.md
	./tools/kit/build.sh

kit-smoke: # the kit's stages over the emulated driver, on small stores
	./tools/kit/smoke.sh

clean: ## what building and measuring left, but not the data and the baseline
	rm -f bench.test gds.test cpu.txt gpu.txt baseline.txt new.txt study-*.txt study.svg
	rm -rf .kit .commands
	@echo 'kept: $(DATA), baseline.test'
