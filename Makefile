# make help    tells what each target does.
SHELL := /bin/bash
VENV := .venv/bin

# Another venv's or a sourced ROS installation's paths must not leak into this one.
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH PYTHONPATH PYTHONHOME
unexport AMENT_PREFIX_PATH COLCON_PREFIX_PATH CMAKE_PREFIX_PATH

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench hil clean

help: ## show this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## create .venv, install exact versions, build the messages, fetch the models
	@scripts/setup.sh

demo: setup ## the main job: a scene through the whole street, with report (thymos-demo/report.html)
	@$(VENV)/thymos demo

test: setup ## the whole test suite
	@$(VENV)/python -m pytest -n 2 --dist loadgroup -rs

lint: setup ## ruff and mypy
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/mypy --config-file nodes/mypy.ini -p thymos_nodes

bench: setup ## every speed figure, beside peers (about ten minutes; see docs/benchmarks.md)
	@$(VENV)/python -m benchmarks $(if $(PEERS),--peers $(PEERS))

hil: setup ## drivers on virtual hardware: PulseAudio here, V4L2, ALSA, USB serial in an emulated machine
	@scripts/hil.sh

clean: ## remove what the other targets made (models stay in the user cache)
	rm -rf .venv build dist thymos-demo benchmarks/out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf interfaces/*/build nodes/build nodes/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
