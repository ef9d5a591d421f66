#!/usr/bin/env python3
"""A training step of DeepFM (2048 rows, 9 fields, width 16) whose first table has ROWS rows, drawn uniformly, with PyTorch's dense Adam.

    python3 bench/peers/table_step.py ROWS [--steps N] [--decay L2]
"""
import argparse
import time

import torch
from torch import nn
import torch.nn.functional as F

from figure import figure

parser = argparse.ArgumentParser()
parser.add_argument("rows", type=int)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--decay", type=float, default=0.0)
args = parser.parse_args()
torch.set_num_threads(args.threads)
D, FIELDS, SMALL, BATCH = 16, 9, 100, 2048


class DeepFM(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(args.rows if i == 0 else SMALL, D) for i in range(FIELDS))
        self.real_vectors, self.first_order = nn.Parameter(torch.zeros(2, D)), nn.Parameter(torch.zeros(2))
        block = lambda i, o: [nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU(), nn.Dropout(0.2)]
        self.mlp = nn.Sequential(*block((FIELDS + 2) * D, 16), *block(16, 16), nn.Linear(16, 1))

    def forward(self, ids, reals):
        e = torch.stack([table(ids[:, i]) for i, table in enumerate(self.tables)], 1)
        e = torch.cat((e, reals[:, :, None] * self.real_vectors), 1)
        fm = 0.5 * (e.sum(1).square().sum(1) - e.square().sum((1, 2)))
        return reals @ self.first_order + fm + self.mlp(e.flatten(1)).squeeze(1)


net = DeepFM()
adam = torch.optim.Adam(net.parameters(), 1e-3, weight_decay=args.decay, fused=True)
seconds = 0.0
for step in range(args.steps + 3):
    ids = torch.cat((torch.randint(args.rows, (BATCH, 1)), torch.randint(SMALL, (BATCH, FIELDS - 1))), 1)
    reals, label = torch.rand(BATCH, 2), torch.randint(2, (BATCH,)).float()
    start = time.perf_counter()
    loss = F.binary_cross_entropy_with_logits(net(ids, reals), label)
    adam.zero_grad()
    loss.backward()
    adam.step()
    if step >= 3:
        seconds += time.perf_counter() - start
figure(seconds=seconds / args.steps)
