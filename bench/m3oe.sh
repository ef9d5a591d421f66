#!/usr/bin/env bash
# An epoch of M3oE at the released widths on MovieLens-1M: scenarec and the PyTorch program of bench/peers, by turns, on
# one thread and on two. Run it on a quiet machine.
#
#     PYTHON=python3 bench/m3oe.sh data/raw [epochs]      # a python with torch 2.11 and numpy
set -euo pipefail
raw=${1:?the raw root, which holds movielens-1m}
epochs=${2:-3}
python=${PYTHON:-python3}
runs=$(mktemp -d)
trap 'rm -rf "$runs"' EXIT

for threads in 1 2; do
    echo "== scenarec, $threads thread(s)"
    target/debug/scenarec run m3oe-table2 --raw "$raw" --runs "$runs/$threads" --threads "$threads" --jobs 1 --seeds 1 \
        --only dataset=movielens-1m-age --only model=m3oe --set run.training.epochs="$epochs" > "$runs/log" 2>&1 || { cat "$runs/log" >&2; exit 1; }
    "$python" - "$runs/$threads" "$epochs" <<'PYTHON'
import glob, json, sys
[file] = glob.glob(sys.argv[1] + "/*/measures.jsonl")
measures = {m["metric"]: m["value"] for m in map(json.loads, open(file)) if m["metric"] in
            ("seconds", "samples_per_second", "peak_rss_bytes", "valid_auc")}
print(f"{measures['seconds'] / int(sys.argv[2]):.2f} s per epoch with its validation, {measures['samples_per_second']:,.0f} "
      f"samples/s, {measures['peak_rss_bytes'] / 2**30:.2f} GiB, mean AUC valid {measures['valid_auc']:.4f}")
PYTHON
    echo "== PyTorch, $threads thread(s)"
    "$python" bench/peers/m3oe.py --raw "$raw/movielens-1m" --threads "$threads" --epochs "$epochs"
done
