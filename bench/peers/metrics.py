#!/usr/bin/env python3
"""AUC and S-GAUC as Python's libraries compute them, of scores and labels like those of `scenarec bench`.

    python3 bench/peers/metrics.py auc|gauc ROWS
"""
import sys
import time

import numpy as np

from figure import figure

what, rows = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(1)
score = rng.random(rows, np.float32) * 8 - 4
label = (rng.random(rows, np.float32) * 8 - 4 < score).astype(np.uint8)
if what == "auc":
    from sklearn.metrics import roc_auc_score
    compute = lambda: roc_auc_score(label, score)
else:
    import pandas as pd
    session = rng.integers(0, max(rows // 10, 1), rows)

    def compute():
        # By ranks within sessions, ties counted half; sessions of one class count for nothing.
        frame = pd.DataFrame({"session": session, "score": score, "label": label})
        frame["rank"] = frame.groupby("session")["score"].rank()
        frame["own"] = frame["rank"] * frame["label"]
        by = frame.groupby("session").agg(n=("label", "size"), p=("label", "sum"), ranks=("own", "sum"))
        by = by[(by.p > 0) & (by.p < by.n)]
        auc = (by.ranks - by.p * (by.p + 1) / 2) / (by.p * (by.n - by.p))
        return (auc * by.n).sum() / by.n.sum()

compute()
times = []
for _ in range(3):
    start = time.perf_counter()
    compute()
    times.append(time.perf_counter() - start)
figure(seconds=min(times))
