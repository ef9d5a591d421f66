#!/usr/bin/env python3
"""M3oE on MovieLens-1M by age in plain PyTorch, vectorised: a second program for the same model, to check scenarec's
results and speed against.

Written from the paper and the released program's documented behaviour, and "done well": all columns resident, batches are
index selections, the star product of every domain by mask-free selection of the own domain's rows, experts and towers as
stacked products, torch's fused dense Adam with L2 decay. Reads a folder with ratings.dat, users.dat, movies.dat and
prints, per epoch, seconds and AUCs; it writes nothing.

    python bench/peers/m3oe.py --raw data/raw/movielens-1m --split random --epochs 3 --threads 1
"""
import argparse, os, time

parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
parser.add_argument("--raw", required=True)
parser.add_argument("--split", choices=["random", "joined"], default="random")
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--batch", type=int, default=40_960)
parser.add_argument("--shared", type=int, default=1, help="shared experts")
parser.add_argument("--widths", type=int, nargs=3, default=[512, 256, 64], help="star, representation, expert")
parser.add_argument("--lr", type=float, default=1e-2)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--device", default="cpu")
args = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(args.threads)

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from figure import figure, multiply_adds

torch.set_num_threads(args.threads)
torch.set_flush_denormal(True)
D, T, DIM = 3, 2, 16
STAR, HIDDEN, EXPERT = args.widths


def lines(name):
    with open(os.path.join(args.raw, name), encoding="iso-8859-1") as f:
        return [line.rstrip("\r\n").split("::") for line in f if line.strip()]


def read():
    """ids [n, 7], dense [n, 1], labels [n, 2], domain [n], table sizes, rows in the order of the released join."""
    ratings = np.array([[int(v) for v in row[:3]] for row in lines("ratings.dat")])
    users = {int(u[0]): u for u in lines("users.dat")}
    movies = {int(m[0]): m[2].split("|")[0] for m in lines("movies.dat")}
    user, movie, rating = ratings.T
    of_age = {1: 0, 18: 0, 25: 1, 35: 2, 45: 2, 50: 2, 56: 2}
    domain = np.array([of_age[int(users[u][2])] for u in user])
    age = np.array([int(users[u][2]) for u in user], dtype=np.float32)
    columns = [user, movie, [users[u][1] for u in user], [users[u][3] for u in user], [users[u][4] for u in user],
               [movies[m] for m in movie], domain]
    dense = [np.unique(c, return_inverse=True) for c in columns]
    ids = np.stack([inverse for _, inverse in dense], 1)
    labels = np.stack([rating > 3, rating > 4], 1).astype(np.float32)
    rank = {m: i for i, m in enumerate(dict.fromkeys(movie.tolist()))}
    by_movie = np.argsort([rank[m] for m in movie.tolist()], kind="stable")
    first = {u: i for i, u in enumerate(dict.fromkeys(user[by_movie].tolist()))}
    order = by_movie[np.argsort([first[u] for u in user[by_movie].tolist()], kind="stable")]
    scaled = (age - age.min()) / (age.max() - age.min())
    t = torch.from_numpy
    return t(ids), t(scaled)[:, None], t(labels), t(domain), [len(names) for names, _ in dense], t(order)


class Stack(nn.Module):
    """Linear layers [K, in, out] with torch.nn.Linear's initial values, layer norm and ReLU."""

    def __init__(self, k, inputs, outputs, block=True):
        super().__init__()
        bound = inputs ** -0.5
        self.weight = nn.Parameter(torch.empty(k, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(k, 1, outputs).uniform_(-bound, bound))
        if block:
            self.gamma, self.beta = nn.Parameter(torch.ones(k, 1, outputs)), nn.Parameter(torch.zeros(k, 1, outputs))
        self.block = block

    def forward(self, x):
        y = torch.baddbmm(self.bias, x, self.weight)
        return F.relu(F.layer_norm(y, y.shape[-1:]) * self.gamma + self.beta) if self.block else y


class M3oE(nn.Module):
    def __init__(self, sizes, n):
        super().__init__()
        self.n, width = n, len(sizes) * DIM + 1
        self.tables = nn.ModuleList(nn.Embedding(s, DIM) for s in sizes)
        for table in self.tables:
            nn.init.normal_(table.weight, std=1e-4)
        star = lambda *shape: nn.Parameter(nn.init.xavier_uniform_(torch.empty(*shape)))
        self.own = nn.ParameterList(star(width, STAR) for _ in range(D))
        self.shared = star(width, STAR)
        self.own_bias, self.shared_bias = nn.Parameter(torch.zeros(D, STAR)), nn.Parameter(torch.zeros(STAR))
        block = lambda i, o: nn.Sequential(nn.Linear(i, o), nn.LayerNorm(o), nn.ReLU())
        self.specific, self.agnostic = block(STAR, HIDDEN), block(width, HIDDEN)
        self.experts = Stack(n + D + T, HIDDEN, EXPERT)
        self.gate = Stack(D, HIDDEN, T * n, block=False)
        self.tower, self.out = Stack(D * T, EXPERT, EXPERT), Stack(D * T, EXPERT, 1, block=False)
        self.fusion = nn.Parameter(torch.ones(4))       # alpha_d, alpha_t, beta_d, beta_t

    def forward(self, ids, dense, groups):
        """Rows come sorted by domain, `groups` of them in each; logits [B, T]."""
        x = torch.cat([table(ids[:, i]) for i, table in enumerate(self.tables)] + [dense], 1)
        weight = lambda d: self.own[d] * self.shared
        star = [torch.addmm(self.own_bias[d] + self.shared_bias, rows, weight(d))
                for d, rows in enumerate(x.split(groups))]
        h = self.specific(torch.cat(star)) + self.agnostic(x)
        e = self.experts(h.expand(self.n + D + T, -1, -1))                              # [K, B, E]
        shared, domain, task = e.split([self.n, D, T])
        alpha_d, alpha_t, beta_d, beta_t = self.fusion.sigmoid()
        own = torch.cat([part[d] for d, part in enumerate(domain.split(groups, 1))])
        rest = (1 - beta_d) / (D - 1)
        of_domain = (beta_d - rest) * own + rest * domain.sum(0)
        of_task = beta_t * task + (1 - beta_t) * task.flip(0)                           # T = 2
        logits = []
        for d, rows in enumerate(h.detach().split(groups)):
            part = slice(sum(groups[:d]), sum(groups[:d + 1]))
            gate = torch.addmm(self.gate.bias[d], rows, self.gate.weight[d]).view(-1, T, self.n).softmax(-1)
            mixed = torch.bmm(gate, shared[:, part].transpose(0, 1)).transpose(0, 1)    # [T, B_d, E]
            fused = mixed + alpha_d * of_domain[part] + alpha_t * of_task[:, part]
            k = slice(d * T, (d + 1) * T)
            t = torch.baddbmm(self.tower.bias[k], fused, self.tower.weight[k])
            t = F.relu(F.layer_norm(t, t.shape[-1:]) * self.tower.gamma[k] + self.tower.beta[k])
            logits.append(torch.baddbmm(self.out.bias[k], t, self.out.weight[k])[:, :, 0].T)
        return torch.cat(logits)


def auc(score, label):
    """By ranks, ties counted half."""
    _, inverse, count = torch.unique(score, return_inverse=True, return_counts=True)
    rank = (count.cumsum(0) - (count - 1) / 2.0).double()[inverse]
    positive = label.sum().double()
    return ((rank[label > 0].sum() - positive * (positive + 1) / 2) / (positive * (len(label) - positive))).item()


def main():
    ids, dense, labels, domain, sizes, joined = (v.to(args.device) if torch.is_tensor(v) else v for v in read())
    n = len(ids)
    torch.manual_seed(args.seed)
    order = joined if args.split == "joined" else torch.randperm(n).to(args.device)
    train, valid, test = order.split([int(n * 0.8), int(n * 0.1), n - int(n * 0.8) - int(n * 0.1)])
    model = M3oE(sizes, args.shared).to(args.device)
    weights = [p for name, p in model.named_parameters() if name != "fusion"]
    adam = lambda p, lr: torch.optim.Adam(p, lr=lr, weight_decay=1e-5, fused=True)
    inner, outer = adam(weights, args.lr), adam([model.fusion], 1e-3)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(train)} training rows")

    def loss_of(rows):
        rows = rows[torch.argsort(domain[rows], stable=True)]
        groups = torch.bincount(domain[rows], minlength=D).tolist()
        logits = model(ids[rows], dense[rows], groups)
        sums = F.binary_cross_entropy_with_logits(logits, labels[rows], reduction="none").split(groups)
        return sum(s.mean(0).sum() for s in sums if len(s))

    def cells(rows):
        model.eval()
        with torch.no_grad():
            out = torch.empty(len(rows), T, device=rows.device)
            for at in torch.arange(len(rows), device=rows.device).split(args.batch):
                at = at[torch.argsort(domain[rows[at]], stable=True)]
                part = rows[at]
                groups = torch.bincount(domain[part], minlength=D).tolist()
                out[at] = model(ids[part], dense[part], groups)
        model.train()
        own = [domain[rows] == d for d in range(D)]
        return [auc(out[own[d], t], labels[rows][own[d], t]) for d in range(D) for t in range(T)]

    rates = []
    for epoch in range(args.epochs):
        start = time.time()
        for rows in train[torch.randperm(len(train)).to(args.device)].split(args.batch):
            inner.zero_grad(), outer.zero_grad()
            loss_of(rows).backward()
            inner.step()
        outer.zero_grad()
        loss_of(train[torch.randperm(len(train))[:args.batch].to(args.device)]).backward()
        outer.step()
        if args.device != "cpu":
            torch.cuda.synchronize()
        seconds = time.time() - start
        rates.append(len(train) / seconds)
        v, t = cells(valid), cells(test)
        weights_now = ", ".join(f"{w:.4f}" for w in model.fusion.sigmoid().tolist())
        print(f"epoch {epoch}: {seconds:.2f} s, {len(train) / seconds:,.0f} samples/s; mean AUC valid "
              f"{np.mean(v):.4f}, test {np.mean(t):.4f}; fusion weights {weights_now}", flush=True)
    part = train[:args.batch]
    figure(max(rates), multiply_adds_per_sample=multiply_adds(lambda: loss_of(part).backward(), len(part)))


main()
