# `make repro` rebuilds everything, `make test` runs the tests; both set up what they need.
VENV ?= .venv
PYTHON ?= python3.11
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: repro test check evidence preset pull push app diff experiments profile clean
.PHONY: lock locked sbom licences mutants

repro: $(VENV)/.run
	dvc repro

test: $(VENV)/.browser
	pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev
	ruff check .
	ruff format --check .
	mypy
	twincam check

# Takes about eight hours, after `make repro`; DATA is a folder with cats-ddpm, cats-sd and oxford-cats.
evidence: $(VENV)/.run
	python -m benchmarks.rendered
	$(if $(DATA),python -m benchmarks.near_duplicates $(DATA))
	$(if $(DATA),python -m benchmarks.photographs $(DATA)/cats-ddpm)
	python -m benchmarks.truth
	python -m benchmarks.peers $(if $(DATA),--photographs $(DATA)/oxford-cats)
	python -m benchmarks.heat_memory
	python -m benchmarks.prototype_seeds
	$(if $(filter 0,$(shell id -u)),python -m benchmarks.failures)
	python -m benchmarks.mutants
	$(if $(DATA),python -m benchmarks.prototypes $(DATA))
	$(if $(DATA),python -m benchmarks.explanations $(DATA))
	$(if $(DATA),python -m benchmarks.trust $(DATA))
	$(if $(DATA),python -m benchmarks.forensics $(DATA))
	$(if $(DATA),python -m benchmarks.one_image $(DATA))

# The modules that the figures' honesty rests on, each with one small fault: do the tests notice?
mutants: $(VENV)/.dev
	python -m benchmarks.mutants --sample $(or $(SAMPLE),60)

preset: $(VENV)/.run
	twincam preset $(NAME)

# Models and reports; with ALL=1 the images and embeddings, too.
pull: $(VENV)/.run
	twincam pull $(if $(ALL),--all)

push: $(VENV)/.run
	twincam push

# A page in the browser that explains pictures; with REVIEWS=1 it writes marks to reviews.csv.
app: $(VENV)/.app
	twincam app $(if $(REVIEWS),--reviews)

# What changed since a branch, tag or commit: diff/index.html and diff/diff.md.
diff: $(VENV)/.run
	twincam diff $(or $(BASE),main)

# The experiments of this commit with what they vary and reach, and their means over the seeds.
COLUMNS := Experiment|State|seed|(synthesize|data|split|prepare|model|train|explain|protopnet)\.
COLUMNS := $(COLUMNS)|(reports/(evaluate|prototypes).json:)?(accuracy|roc_auc|abstention_rate)$$
experiments: $(VENV)/.run
	@dvc exp show --md --only-changed --drop '(?!$(COLUMNS)).*'
	twincam experiments --over $(or $(OVER),seed)

# Runs all stages again, or those in STAGES: seconds, peak memory and the slowest functions of each.
profile: $(VENV)/.run
	rm -rf .profile
	TWINCAM_PROFILE=$(abspath .profile) dvc repro --force $(if $(STAGES),--single-item $(STAGES))
	twincam profile .profile

$(VENV)/.run: requirements.txt constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement requirements.txt
	$(VENV)/bin/pip install --quiet --no-deps --editable .
	touch $@

$(VENV)/.app: requirements-app.txt $(VENV)/.run
	$(VENV)/bin/pip install --quiet --requirement requirements-app.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt requirements-app.txt requirements-ray.txt $(VENV)/.run
	$(VENV)/bin/pip install --quiet --requirement requirements-dev.txt
	touch $@

# Chromium, for tests/browser: Debian's for root there, else Playwright's; they are skipped without.
DEBIAN_ROOT = test "$$(id -u)" = 0 && grep -qs '^ID=debian' /etc/os-release
$(VENV)/.browser: $(VENV)/.dev
	command -v chromium || { $(DEBIAN_ROOT) && apt-get -qq update && apt-get -qq --yes install chromium; } || \
		playwright install chromium || true
	touch $@

# Every package that requirements-dev.txt brings, with the hashes of its files.
lock: .tools/.made
	.tools/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header \
		--python $(PYTHON) requirements-dev.txt --output-file requirements.lock

# The same environment as `make test` sets up, refusing any file that requirements.lock does not know.
locked: requirements.lock
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --require-hashes --requirement requirements.lock
	$(VENV)/bin/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(VENV)/.run $(VENV)/.app $(VENV)/.dev

# What is installed in VENV: as CycloneDX (sbom.json), and its licences as a table.
sbom: .tools/.made
	.tools/bin/cyclonedx-py environment $(VENV) --pyproject pyproject.toml \
		--output-reproducible --output-file sbom.json

licences: .tools/.made
	head -5 docs/licences.md > .tools/licences.md
	.tools/bin/pip-licenses --python $(VENV)/bin/python --from mixed --order license \
		--ignore-packages twincam --format markdown >> .tools/licences.md
	mv .tools/licences.md docs/licences.md

.tools/.made: requirements-tools.txt
	test -x .tools/bin/python || $(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --requirement requirements-tools.txt
	touch $@

clean:
	rm -rf .checkpoints .profile
	find . -name '.*.partial' -not -path './$(VENV)/*' -prune -exec rm -rf {} +
