# One command says whether the house is in order, one shows it at work. `make help` lists them all.
# Needs python3 (3.11 or newer) with venv and pip, and make; everything else goes into .venv, locked by hash.

PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
# Where `make install` puts things; the unit in systemd/ names the same places.
PREFIX ?= /opt/image-watcher
SETTINGS ?= /etc/image-watcher
SHARED ?= /srv/image-watcher
UNITS ?= /etc/systemd/system
COMMANDS ?= /usr/local/bin
SERVICE_USER ?= image-watcher
# Times are compared by tests marked `alone`; the others may share the machine.
WORKERS ?= 3

BIN := $(VENV)/bin
# No index is named here: pip's own settings say where packages come from. Wheels only, but for the
# one package that has none; what builds it and ours is locked too, and never fetched on the side.
INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-build-isolation
LOCKED := $(INSTALL) --require-hashes --only-binary :all: --no-binary sdnotify --use-pep517
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)
BENCHES := $(patsubst bench/%.py,bench-%,$(filter-out bench/soak.py bench/_%,$(wildcard bench/*.py)))

.PHONY: help test-slow demo test test-office check format docs pictures lock upgrade bench soak system-packages install deb test-deb test-unit test-container sbom release clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 24
	@for bench in $(BENCHES); do echo "  make $$bench"; done

demo: $(VENV)/.package  ## the sandbox, the daemon and the example drops, into ./demo
	$(BIN)/image-watcher demo --folder $(DEMO)

test: $(VENV)/.dev system-packages check  ## everything that CI runs
	$(BIN)/pytest -q -n $(WORKERS) -m "not alone and not slow"
	$(BIN)/pytest -q -m "alone and not slow"

test-slow: $(VENV)/.dev system-packages  ## the tests that take long: every trap, the second of two modes
	$(BIN)/pytest -q -n $(WORKERS) -m slow

check: $(VENV)/.dev  ## style, types and the import rule
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev  ## mend what can be mended
	$(BIN)/ruff check --fix --quiet
	$(BIN)/ruff format --quiet

docs: $(VENV)/.dev  ## the pages and the schema that are made from the code
	for page in docs/make_*.py; do $(BIN)/python $$page || exit 1; done

man: $(VENV)/.package  ## manual pages, into build/man
	$(BIN)/python docs/manual.py build/man

pictures: $(VENV)/.dev  ## what docs/ shows of the gallery, taken anew in a browser
	$(BIN)/pytest -q tests/system/test_gallery_pictures.py
	$(BIN)/python docs/shrink_pictures.py

# The Python packages, with hashes; a new version is taken by `make upgrade` only.
lock: $(VENV)/.dev  ## requirements/*.txt from pyproject.toml
	$(COMPILE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) --group build -c requirements/runtime.txt -o requirements/build.txt
	$(COMPILE) pyproject.toml --group dev -c requirements/runtime.txt -c requirements/build.txt \
		-o requirements/dev.txt

upgrade: UPGRADE = --upgrade
upgrade: lock  ## the same, with the newest versions

bench: $(BENCHES)  ## every bench, one after the other; what they print belongs into docs/performance.md

bench-%: $(VENV)/.dev
	$(BIN)/python bench/$*.py

soak: $(VENV)/.dev  ## hours of work, looking for what grows
	$(BIN)/python bench/soak.py $(if $(MINUTES),--minutes $(MINUTES))

# As CI runs it, where it is skipped without a Samba; here it is not.
test-samba: $(VENV)/.dev  ## an inbox on a real Samba server; as root it is installed where it is missing
	@sh .ci/samba
	$(BIN)/pytest -q tests/system/test_samba.py

system-packages:  ## what some tests need of the system; those tests are skipped without it
	@sh .ci/system-packages

test-office: $(VENV)/.dev  ## whether an office program opens the results; installs one, as root (a minute)
	command -v soffice >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends libreoffice-calc; }
	$(BIN)/pytest -q tests/edges/test_office.py

# Again for an upgrade: settings and folders that are there stay as they are.
install:  ## as a service, as root: program, user, shared folders, settings, unit
	$(MAKE) --no-print-directory VENV=$(PREFIX) $(PREFIX)/.runtime
	$(PREFIX)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-build-isolation --no-deps --force-reinstall .
	id $(SERVICE_USER) >/dev/null 2>&1 || useradd --system --user-group --no-create-home --shell /usr/sbin/nologin $(SERVICE_USER)
	for folder in $(SHARED) $(SHARED)/inbox $(SHARED)/outbox; do \
	  test -d $$folder || install -d -m 2770 -o $(SERVICE_USER) -g $$(id -gn $(SERVICE_USER)) $$folder; done
	install -d -m 0755 $(SETTINGS) $(UNITS) $(COMMANDS)
	ln -sfn $(PREFIX)/bin/image-watcher $(COMMANDS)/image-watcher
	test -e $(SETTINGS)/watcher.yaml || sed 's#\./\(inbox\|outbox\)#$(SHARED)/\1#' config/watcher.yaml > $(SETTINGS)/watcher.yaml
	install -m 0644 config/watcher.schema.json $(SETTINGS)/watcher.schema.json
	install -m 0644 systemd/image-watcher.service systemd/image-watcher@.service $(UNITS)
	if test -d /run/systemd/system; then systemctl daemon-reload; fi

deb: $(VENV)/.dev  ## a package for this Debian, into dist/
	packaging/deb $(VENV)

test-deb: deb  ## the same, installed, checked and purged in a fresh Debian folder; as root
	packaging/test-deb

test-unit: deb  ## the same as a service under a systemd of its own, booted for it; as root
	packaging/test-unit

test-container: $(VENV)/.dev  ## the image, built without a registry and tried without a network; as root
	packaging/test-container $(VENV)

sbom: $(VENV)/.dev  ## what the program is made of (CycloneDX), into dist/
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml --mc-type application \
		--output-reproducible --output-format JSON --output-file dist/image-watcher.cdx.json

# Twice, because only what comes out the same twice can be checked by somebody else.
release: $(VENV)/.dev  ## wheel, sdist, SBOM and checksums of the last commit, into dist/
	packaging/release $(VENV) dist
	packaging/release $(VENV) build/again
	cmp dist/SHA256SUMS build/again/SHA256SUMS

clean:  ## everything that was made here, but nothing of yours
	rm -rf $(VENV) $(DEMO) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Each step leaves a stamp, so that a second run is quick. A half-made environment is made anew.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON). Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python " + sys.version.split()[0] + "; image-watcher needs 3.11 or newer. Name another one: make PYTHON=/path/to/python3")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) has no venv. Run, as root: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.build: requirements/build.txt $(BIN)/python
	$(LOCKED) -r $<
	@touch $@

$(VENV)/.runtime: requirements/runtime.txt $(VENV)/.build
	$(LOCKED) -r $<
	@touch $@

$(VENV)/.package: pyproject.toml $(VENV)/.runtime
	$(INSTALL) --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.package
	$(LOCKED) -r $<
	@touch $@
