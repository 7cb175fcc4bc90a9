#!/bin/sh
# The commands of docs/pruning-in-ci.md in their order; run it in a copy of this folder, with a copy of
# tests/reporting/damaged for the last one. It takes some three minutes of one core, and `gate` is meant
# to end with 1 or 3 where the page says so. renew.py runs them and writes what they print into the page.
set -x
facebench prune plan.toml --identities 200 --images 8 --quiet
facebench prune step_2 --layer 5a --keep 1/256 --name step_3 --steps 10 --recipe recipe.toml --data synthetic --identities 200 --images 8
facebench eval -m dense -m step_1 -m step_2 -m step_3 -p lfw --data synthetic --out records --quiet
facebench gate dense --records records -b baselines --update --reason "dense, before any pruning"
facebench gate step_2 --records records -b baselines --rules gates.toml
facebench gate step_3 --records records -b baselines --rules gates.toml
facebench compare step_2 step_3 --records records -p lfw
facebench gate step_2 --records records -b baselines --rules strict.toml
pytest -q test_accuracy.py
facebench gate step_3 --records records -b baselines --rules gates.toml --format github --junit gate.xml --markdown summary.md
facebench gate step_2 --records records -b baselines --update --reason "two layers at 1/4 cost less than 2 points"
facebench history records --plot history.png
facebench gate damaged_1 damaged_3 resaved -b sparse_074 -p lfw --records damaged --rules real.toml
