# Propel. `make` alone lists what can be done; variables may be given after the target: make up PORT_BASE=18000
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help test-browser mutations drill format openapi settings up down restart roll status logs reset admin verify demo test check lock bench figures dead backup restore reconcile integrator prepare k8s-render k8s-dev
# Compiled modules make every start faster; a shell that forbids them would cost each process a second.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME

PYTHON := .venv/bin/python
# How many processes share the tests, each with a PostgreSQL and a RabbitMQ of its own.
PROCESSES := 2

# A variable as one word of the shell, whatever is in it.
quoted = '$(subst ','\'',$(1))'

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5); next } \
		/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Ports: GATEWAY_PORT (8080) and PORT_BASE (17000), e.g. make up PORT_BASE=18000 GATEWAY_PORT=8090"

##@ Run
up: prepare ## start the whole fleet and wait until it is healthy
	@$(PYTHON) -m deploy.local up
down: prepare ## stop it cleanly, keeping the data
	@$(PYTHON) -m deploy.local down
restart: prepare ## stop and start on the same ports
	@$(PYTHON) -m deploy.local restart
roll: prepare ## replace every process by the present code, in turn, while the fleet answers (PART=points-web for one)
	@$(PYTHON) -m deploy.local roll $(call quoted,$(PART))
status: prepare ## what runs, where, since when, in how much memory
	@$(PYTHON) -m deploy.local status || true
logs: prepare ## follow the logs (SERVICE=points for one)
	@$(PYTHON) -m deploy.local logs $(call quoted,$(SERVICE))
backup: prepare ## a base backup of all databases; with the log since then any instant can be restored
	@$(PYTHON) -m deploy.local backup
restore: prepare ## the databases as they were (AT=2026-11-27T05:40:00, else the newest there is; SERVICE=points for one alone)
	@$(PYTHON) -m deploy.local restore --at $(call quoted,$(AT)) --service $(call quoted,$(SERVICE))
reconcile: prepare ## after a restore: all say once more what is, redemptions are mended, both sides compared (SINCE=)
	@$(PYTHON) -m deploy.local reconcile $(call quoted,$(SINCE))
reset: prepare ## stop it and delete data and secrets (downloads are kept)
	@$(PYTHON) -m deploy.local reset

##@ Use
demo: prepare ## a student's week, played through the running fleet
	@$(PYTHON) -m deploy.local.demo
verify: prepare ## do the books of points and rewards balance? (the running fleet)
	@$(PYTHON) -m deploy.local verify
figures: prepare ## metrics of every process whose lines hold a word (MATCH=outbox)
	@$(PYTHON) -m deploy.local.figures $(call quoted,$(MATCH))
dead: prepare ## messages that could not be applied (SERVICE=points ID= CAUSE= TYPE=; REPLAY=1 or PURGE=1, DRY=1 only counts)
	@$(PYTHON) -m deploy.local.dead $(call quoted,$(SERVICE)) $(if $(REPLAY),replay,$(if $(PURGE),purge,$(if $(ID),show,list))) $(ID) \
		$(if $(CAUSE),--cause $(call quoted,$(CAUSE))) $(if $(TYPE),--type $(call quoted,$(TYPE))) $(if $(DRY),--dry-run)
integrator: prepare ## a user at the broker and a subscriber that runs (NAME=acme EVENTS=points.activity_logged.v1,...; REMOVE=1)
	@$(PYTHON) -m deploy.local.integrator $(call quoted,$(NAME)) --events $(call quoted,$(EVENTS)) $(if $(REMOVE),--remove)
admin: prepare ## make an administrator (USERNAME= EMAIL= PASSWORD=)
	@$(PYTHON) -m deploy.local admin --username $(call quoted,$(USERNAME)) --email $(call quoted,$(EMAIL)) --password $(call quoted,$(PASSWORD))

##@ Kubernetes
k8s-render: prepare ## print an overlay, checked (OVERLAY=dev or production); kustomize 5.3 or kubectl 1.30, or fetched
	@$(PYTHON) -m deploy.manifests $(call quoted,$(OVERLAY))
k8s-dev: prepare ## build the images and run the fleet on kind or minikube (kubectl's present context)
	@$(PYTHON) -m deploy.manifests.dev

##@ Work on it
drill: prepare ## restore points, then all databases, to AGO=120 seconds ago under load; prints what was lost and how long it took
	@AGO=$(or $(AGO),120) $(PYTHON) -m pytest -n 0 -s tests/e2e/test_restore.py
test: prepare ## the whole test suite, with servers of its own (ARGS= for pytest)
	@$(PYTHON) -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)
test-browser: prepare ## the chat page in a real Chromium, fetched into the cache when there is none (ARGS= for pytest)
	@$(PYTHON) -m deploy.local.browser
	@$(PYTHON) -m pytest $(or $(ARGS),tests/browser)
check: prepare ## lint, types, import rules, manifests
	@$(PYTHON) -m tests.check
mutations: prepare ## take each guard out of a copy and see that its test fails (some minutes)
	@$(PYTHON) -m tests.mutations
bench: prepare ## measure it beside the machine's limits (ONLY=P1,P3 MEMBERS= SECONDS= RUNS= ARGS=)
	@$(PYTHON) -m tests.bench $(foreach name,ONLY MEMBERS ROWS SECONDS RUNS CLIENTS WORKERS THREADS,$(if $($(name)),'$(name)=$($(name))')) $(ARGS)
format: prepare ## write the code in the one form that `make check` wants
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .
openapi: prepare ## write services/*/openapi.json from the views, and the catalogue of events
	@$(PYTHON) -m fleet.openapi users points rewards reviews integrations bot
	@$(PYTHON) -m fleet.asyncapi
settings: prepare ## write .env.example from the settings in the code
	@$(PYTHON) -m fleet.settings_reference
lock: prepare ## write requirements.lock anew from pyproject.toml (UPGRADE=1: newest versions)
	@$(PYTHON) -m deploy.local.prepare --relock

prepare:
	@deploy/local/bootstrap
