# make bench measures this machine; make test checks the code. README.md says how to read what they print.

STEPS ?= 80
COUNT ?= 10
STORE ?=
FORMS ?= raw lz4
BENCH ?= ^BenchmarkEpoch$$
ARGS  ?=
FUZZCOUNT ?= 1000x
FUZZTIME  ?= 60s

GO   ?= go
DATA := fixtures/data
TAGS := '' gds purego noclib
# The packages that are other ones with the tag gds.
TAGGED := . ./tools/gdscheck ./tools/zarrinfo ./zarrio ./zarrio/gds/... ./zarrio/internal/cuda ./zarrio/internal/cufile ./zarrio/internal/ptx

# The race detector needs a C compiler; without one the tests run without it, and say so.
CC_FOUND := $(shell command -v $$($(GO) env CC) 2>/dev/null)
RACE := $(if $(CC_FOUND),-race,)

.PHONY: bench test ci check cross fuzz-smoke bench-smoke layers unit fuzz interop cufile ptxas clean

bench: ## measure epochs COUNT times, each in a process of its own, into cpu.txt
ifneq ($(STORE),)
	@$(MAKE) --no-print-directory bench-run STORES='$(STORE)'
else ifneq ($(wildcard $(DATA)/era5.zarr/.zgroup),)
	@$(MAKE) --no-print-directory bench-run STORES='$(DATA)/era5.zarr'
else
	@echo 'No ERA5 subset in $(DATA): the data are SYNTHETIC fields of its shape and entropy, which observe nothing.'
	@for form in $(FORMS); do $(GO) run ./tools/era5 -synthetic -steps $(STEPS) -form $$form -out $(DATA)/synthetic-$(STEPS)/$$form.zarr || exit 1; done
	@$(MAKE) --no-print-directory bench-run STORES='$(patsubst %,$(DATA)/synthetic-$(STEPS)/%.zarr,$(FORMS))'
endif

.PHONY: bench-run
bench-run:
	@$(GO) test -c -o bench.test .
	@: > cpu.txt
	@for i in $$(seq $(COUNT)); do echo "run $$i of $(COUNT)" >&2; \
		./bench.test -test.run='^$$' -test.bench='$(BENCH)' -test.benchtime=1x $(addprefix -store ,$(STORES)) $(ARGS) >> cpu.txt || { tail -n 5 cpu.txt; exit 1; }; done
	@grep -m1 '^Machine:' cpu.txt; grep '^Store:' cpu.txt | sort -u
	@$(GO) tool benchstat -filter '.unit:(sec/op OR B/s OR samples/s OR ceiling-% OR cpu-sec/op OR peak-RSS-bytes)' cpu.txt
	@echo 'Every run is in cpu.txt; all its metrics: $(GO) tool benchstat cpu.txt'

test: check cross fuzz-smoke bench-smoke layers unit ## every check that needs no other software

ci: interop cufile ptxas test ## make test, and what needs other software

check: ## format, vet, modernizers, staticcheck, go.mod
	@bad=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); [ -z "$$bad" ] || { echo "gofmt: $$bad"; exit 1; }
	@for tags in $(TAGS); do echo "vet, fix, staticcheck: tags '$$tags'"; \
		$(GO) vet -tags "$$tags" ./... && $(GO) fix -diff -tags "$$tags" ./... && $(GO) tool staticcheck -tags "$$tags" ./... || exit 1; done
	$(GO) mod tidy -diff

cross: ## what this machine can build for others, tests included
	@for target in linux/arm64 darwin/arm64 linux/s390x; do for tags in '' gds; do echo "vet for $$target, tags '$$tags'"; \
		CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) vet -tags "$$tags" ./... || exit 1; done; done
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 $(GO) build ./...

# each_fuzz runs every fuzz target of every package, once: go test takes one at a time. Those of the tag gds alone run with it.
define each_fuzz
@set -e; for pkg in $$($(GO) list ./...); do known=' '; for tags in '' gds; do \
	for target in $$($(GO) test -tags "$$tags" -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
		case "$$known" in *" $$target "*) continue ;; esac; known="$$known$$target "; \
		echo "fuzz $$target in $$pkg$${tags:+, tags $$tags}"; \
		$(GO) test -tags "$$tags" -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(1) $$pkg > fuzz.log || { cat fuzz.log; exit 1; }; done; done; done; rm -f fuzz.log
endef

fuzz-smoke: ## every fuzz target, a fixed number of inputs
	$(call each_fuzz,$(FUZZCOUNT))

fuzz: ## every fuzz target, for FUZZTIME
	$(call each_fuzz,$(FUZZTIME))

bench-smoke: ## every benchmark once; those of GPUs on this machine, where they are skipped if it has none, and over the emulation
	$(GO) test -run='^$$' -bench=. -benchtime=1x ./...
	$(GO) test -tags gds -run='^$$' -bench=. -benchtime=1x $(TAGGED)
	@$(if $(CC_FOUND),true,echo 'no C compiler: benchmarks over the emulated GPU are skipped')
	$(if $(CC_FOUND),ZARRBENCH_EMULATE=1 EMU=poison=0 $(GO) test -tags gds -run='^$$' -bench='Epoch|Chunk' -benchtime=1x .)

# layer says whether the test $(1) of the package $(2), and so what it stands for, can run here: $(3).
define layer
@out=$$($(GO) test -count=1 -v -tags gds -run='^$(1)$$' $(2) 2>&1); case "$$out" in \
	*'--- PASS: $(1)'*) echo 'layer: $(3)' ;; \
	*'--- SKIP: $(1)'*) echo 'layer skipped: $(3):' "$$(echo "$$out" | sed -n 's/^ *[a-z_]*\.go:[0-9]*: //p')" ;; \
	*) echo "$$out"; exit 1 ;; esac
endef

layers: ## which tests of what needs a GPU can run here, and why others can't
	@echo 'layer: vet and build with the tag gds, for amd64 and arm64 (make check, make cross)'
	@echo 'layer: benchmarks without a GPU are skipped, and say why (make bench-smoke, make unit)'
	$(call layer,TestPrintEnvironment,./zarrio/gds/gdstest,tests over the emulated GPU and its interpreter of PTX (make unit))
	$(call layer,TestGenerate,./zarrio/internal/ptx,go generate makes kernels.ptx byte for byte (make unit))
	@echo 'layer: what make ci adds are NVIDIA'\''s libcufile (make cufile) and its assembler (make ptxas)'

unit: ## all tests: without assembly, without cgo and with the gds tag, and with the race detector
	@$(if $(RACE),true,echo 'no C compiler: the race detector is skipped')
	$(GO) test -tags purego ./zarrio/codec/... ./zarrio/loss/...
	CGO_ENABLED=0 $(GO) test -tags gds ./...
	$(if $(RACE),$(GO) test $(RACE) -tags gds $(TAGGED))
	$(GO) test $(RACE) ./...

cufile: ## what uses cuFile, over NVIDIA's own library instead of the emulated one
	./zarrio/internal/cufile/real.sh ./zarrio/internal/cufile ./zarrio ./zarrio/gds ./tools/gdscheck .

ptxas: ## NVIDIA's assembler takes the kernels for every GPU since 2014
	./zarrio/internal/ptx/ptxas.sh

interop: ## other software reads what this one writes
	./tools/interop/run.sh

clean: ## what building and measuring left, but not the data
	rm -f bench.test cpu.txt gpu.txt fuzz.log
	@echo 'kept: $(DATA)'
