#!/usr/bin/env python3
"""SFPNet on the industrial stand-in in plain PyTorch: a second program for the same protocol, to check scenarec against.

Written from the paper, and "done well": all tensors resident, batches are index selections, sequences padded to the batch's longest,
everything vectorised, dense torch Adam (foreach). Reads a folder with impressions.csv, users.csv, items.csv, histories.csv (the cache of
a run on simulated data has one under data/cache/simulated) and click_probability.f32, and prints samples per second, peak memory and
expected AUC by scenario; it writes nothing.

    python bench/peers/sfpnet.py --raw data/cache/simulated/lazada-12-... --blocks 3 --epochs 1 --threads 1
"""
import argparse, os, resource, time

parser = argparse.ArgumentParser()
parser.add_argument("--raw", required=True)
parser.add_argument("--blocks", type=int, default=3)
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--steps", type=int, default=0, help="stop an epoch after so many steps")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)
D, B, LEN, VALID, TEST = 40, 512, 50, 1704412800, 1704585600
USER, ITEM = [8, 3, 50, 6, 5], [200, 2000, 3000, 10]


# ---------------------------------------------------------------- data

def table(name):
    return np.loadtxt(os.path.join(args.raw, name), delimiter=",", skiprows=1, dtype=np.int64, ndmin=2)


def place(ids, of):
    order = np.argsort(ids)
    return order[np.searchsorted(ids, of, sorter=order)]


log, users, items, past = (table(n) for n in ("impressions.csv", "users.csv", "items.csv", "histories.csv"))
truth = np.fromfile(os.path.join(args.raw, "click_probability.f32"), dtype=np.float32)
user, item = place(users[:, 0], log[:, 1]), place(items[:, 0], log[:, 5])
scenario, when, click = log[:, 2], log[:, 3], log[:, 6]

# Every user's clicks in order of time, those before the log first; a row sees those with an earlier time.
who = np.concatenate((place(users[:, 0], past[:, 0]), user[click == 1]))
what = np.concatenate((place(items[:, 0], past[:, 2]), item[click == 1]))
at = np.concatenate((past[:, 1], when[click == 1]))
order = np.lexsort((at, who))
who, what, at = who[order], what[order], at[order]
key = lambda u, t: u * (1 << 34) + t
start, end = np.searchsorted(who, user), np.searchsorted(key(who, at), key(user, when))
start = np.maximum(start, end - LEN)

fields = [user, *users[user, 1:].T, item, *items[item, 1:].T, when % 86400 // 3600, np.minimum(log[:, 4], 19), scenario]
sizes = [len(users), *USER, len(items), *ITEM, 24, 20, 12]
ITEM_FIELDS, N = [6, 7, 8, 9, 10], 13
fields = torch.from_numpy(np.stack(fields, 1).astype(np.int64))
tokens = torch.from_numpy(np.column_stack((what, items[what, 1:])).astype(np.int64))
tokens = torch.cat((tokens, torch.zeros(1, 5, dtype=torch.int64)))         # the last one stands for padding
start, length = torch.from_numpy(start), torch.from_numpy(end - start)
label = torch.from_numpy(click.astype(np.float32))


def batch(rows):
    n = max(int(length[rows].max()), 1)
    places = torch.arange(n)
    mask = places < length[rows][:, None]
    return fields[rows], tokens[torch.where(mask, start[rows][:, None] + places, -1)], mask.float(), label[rows]


# ---------------------------------------------------------------- model

class Gate(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(width + D, hidden), nn.LayerNorm(hidden), nn.Linear(hidden, width)

    def forward(self, z, s):
        return z * torch.sigmoid(self.b(self.norm(F.relu(self.a(torch.cat((z, s), 1))))))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        width = (N + 2) * D
        self.gate, self.c1, self.c2 = Gate(width, 256), nn.Linear(width, 256), nn.Linear(256, width)
        self.weight, self.bias = nn.Parameter(torch.empty(N, D, 2 * D)), nn.Parameter(torch.zeros(N, 1, 2 * D))
        for own in self.weight.data:
            nn.init.xavier_uniform_(own)
        self.behaviours = nn.Linear(D, 2 * D)

    def forward(self, x, v, mask, s):
        count = mask.sum(1, keepdim=True).clamp_min(1)
        mean = v.sum(1) / count
        variance = ((v - mean[:, None]) * mask[:, :, None]).square().sum(1) / count
        gated = self.gate(torch.cat((x.flatten(1), mean, (variance + 1e-8).sqrt()), 1), s)
        c = self.c2(F.relu(self.c1(gated))).view(len(x), N + 2, D)
        own = torch.baddbmm(self.bias, x.transpose(0, 1), self.weight).transpose(0, 1)
        x = F.relu(own[..., :D]) + torch.sigmoid(own[..., D:]) * c[:, :N]
        own = self.behaviours(v)
        v = (F.relu(own[..., :D]) + torch.sigmoid(own[..., D:]) * c[:, N:].sum(1, keepdim=True)) * mask[:, :, None]
        return x, v


class SfpNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(n, D) for n in sizes)
        self.blocks = nn.ModuleList(Block() for _ in range(args.blocks))
        self.din = nn.Sequential(nn.Linear(4 * D, 80), nn.ReLU(), nn.Linear(80, 40), nn.ReLU(), nn.Linear(40, 1))
        widths = [(N + 1) * D, 256, 128, 64]
        self.gates = nn.ModuleList(Gate(a, b) for a, b in zip(widths, widths[1:]))
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, widths[1:]))
        self.out = nn.Linear(64, 1)
        for p in self.parameters():
            if p.dim() == 2:
                nn.init.xavier_uniform_(p)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.zeros_(m.bias)

    def forward(self, ids, seq, mask):
        e = torch.stack([t(ids[:, i]) for i, t in enumerate(self.tables)], 1)
        x, s = e[:, :N], e[:, N]
        v = sum(self.tables[f](seq[..., j]) for j, f in enumerate(ITEM_FIELDS)) / 5 * mask[:, :, None]
        for block in self.blocks:
            x, v = block(x, v, mask, s)
        t = x[:, ITEM_FIELDS].mean(1)[:, None].expand_as(v)
        a = self.din(torch.cat((t, v, t - v, t * v), 2)).squeeze(2) * mask
        h = torch.cat((x.flatten(1), (a[:, None] @ v).squeeze(1)), 1)
        for gate, layer in zip(self.gates, self.layers):
            h = F.relu(layer(gate(h, s)))
        return self.out(h).squeeze(1)


# ---------------------------------------------------------------- training

def expected_auc(score, p):
    """Rows count as p positives and 1 - p negatives; pairs of a row with itself are left out."""
    order = np.argsort(score, kind="stable")
    p = p[order].astype(np.float64)
    below = np.cumsum(1 - p) - (1 - p)
    return (p * below).sum() / (p.sum() * (1 - p).sum() - (p * (1 - p)).sum())


rows = {"train": np.flatnonzero(when < VALID), "test": np.flatnonzero(when >= TEST)}
net = SfpNet()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-7, foreach=True)
train = torch.from_numpy(rows["train"])
samples, began = 0, time.perf_counter()
for epoch in range(args.epochs):
    net.train()
    for step, own in enumerate(train[torch.randperm(len(train))].split(B)):
        ids, seq, mask, y = batch(own)
        loss = F.binary_cross_entropy_with_logits(net(ids, seq, mask), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        samples += len(own)
        if step + 1 == args.steps:
            break
seconds = time.perf_counter() - began
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(f"{samples / seconds:,.0f} samples/s in training, {seconds:.1f} s, {memory:.2f} GiB")
if not args.steps:
    net.eval()
    with torch.no_grad():
        test = torch.from_numpy(rows["test"])
        score = torch.cat([net(*batch(own)[:3]) for own in test.split(4096)]).numpy()
    by = [expected_auc(score[own], truth[rows["test"]][own]) for s in range(12) if len(own := np.flatnonzero(scenario[rows["test"]] == s))]
    print("expected AUC by scenario:", " ".join(f"{a:.4f}" for a in by), "mean", f"{np.mean(by):.4f}")
