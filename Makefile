# `make repro` rebuilds everything, `make test` runs the tests; both set up what they need.
VENV ?= .venv
PYTHON ?= python3.11
export PATH := $(abspath $(VENV))/bin:$(PATH)

.PHONY: repro test check evidence preset pull push app diff experiments profile clean

repro: $(VENV)/.run
	dvc repro

test: $(VENV)/.dev
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
	$(if $(DATA),python -m benchmarks.prototypes $(DATA))
	$(if $(DATA),python -m benchmarks.explanations $(DATA))
	$(if $(DATA),python -m benchmarks.trust $(DATA))
	$(if $(DATA),python -m benchmarks.forensics $(DATA))
	$(if $(DATA),python -m benchmarks.one_image $(DATA))

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

clean:
	rm -rf .checkpoints .profile
	find . -name '.*.partial' -not -path './$(VENV)/*' -prune -exec rm -rf {} +
