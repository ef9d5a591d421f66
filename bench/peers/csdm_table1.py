#!/usr/bin/env python3
"""CSDM's Table 1 on MovieLens-1M in plain PyTorch: a second program for the same protocol, to check scenarec against.

Written from the paper and the released programs' documented behaviour, and "done well": all tensors resident, batches
are index selections, one thread, dense torch Adam with L2-coupled decay. Backbone DeepFM; methods base, cvar,
csdm-released (linear coefficient, frozen denoiser, dropout at generation), csdm-paper (square-root coefficient,
trained denoiser). Reads a folder with ratings.dat, users.dat, movies.dat and prints AUC per phase and seconds; it
writes nothing.

    python bench/peers/csdm_table1.py --raw data/raw/movielens-1m --methods base,cvar,csdm-released --seeds 1

With --only pretrain or --only generator it is one of `scenarec bench`'s programs: it takes --steps steps and says their rate.
--sample-wise loads data as the released programs do: a dataset of rows, each a dictionary of tensors, and a loader that stacks them,
with Adam as it is by default.
"""
import argparse, copy, math, os, re, time

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

from figure import figure, multiply_adds

D, T, BETA = 16, 100, 1e-5
SAMPLE_WISE = False
SIDE = ["item_id", "year", "title", "genres"]


# ---------------------------------------------------------------- data

def lines(folder, name):
    with open(os.path.join(folder, name), encoding="iso-8859-1") as f:
        return [line.rstrip("\r\n").split("::") for line in f if line.strip()]


def read(folder):
    """Columns of all ratings: {field: tensor}, table sizes, labels, times."""
    ratings = np.array([[int(v) for v in row] for row in lines(folder, "ratings.dat")], dtype=np.int64)
    users, movies = lines(folder, "users.dat"), lines(folder, "movies.dat")
    user, item, rating, when = ratings.T
    rated = set(item.tolist())

    zips = {z: i for i, z in enumerate(sorted({u[4] for u in users}))}
    n_user, n_item = 1 + max(int(u[0]) for u in users), 1 + max(int(m[0]) for m in movies)
    of_user = {k: np.zeros(n_user, np.int64) for k in ("gender", "age", "occupation", "zip")}
    for uid, gender, age, occupation, z in users:
        row = int(uid)
        of_user["gender"][row], of_user["age"][row] = "FM".index(gender), int(age)
        of_user["occupation"][row], of_user["zip"][row] = int(occupation), zips[z]

    years, words, kinds, parsed = set(), {}, {}, {}
    for mid, title, genres in movies:
        year = int(re.search(r"\((\d{4})\)\s*$", title).group(1))
        genre_ids = [kinds.setdefault(g, 1 + len(kinds)) for g in genres.split("|")]
        tokens = []
        if int(mid) in rated:
            years.add(year)
            tokens = [words.setdefault(w, len(words)) for w in re.findall(r"[A-Za-z0-9_]+", title[:-6])]
        parsed[int(mid)] = (year, tokens, genre_ids)
    year_id = {y: i for i, y in enumerate(sorted(years))}
    of_item = {"year": np.zeros(n_item, np.int64),
               "title": np.zeros((n_item, max(len(p[1]) for p in parsed.values())), np.int64),
               "genres": np.zeros((n_item, 6), np.int64)}
    for mid, (year, tokens, genre_ids) in parsed.items():
        of_item["year"][mid] = year_id.get(year, 0)
        of_item["title"][mid, :len(tokens)] = tokens
        of_item["genres"][mid, :len(genre_ids)] = genre_ids

    scale = lambda v: ((v - v.min()) / (v.max() - v.min())).astype(np.float32)
    count = np.bincount(item, minlength=n_item)
    columns = {"item_id": item, "user_id": user, **{k: v[user] for k, v in of_user.items()},
               **{k: v[item] for k, v in of_item.items()},
               "time_stamp": scale(when), "count": scale(count[item])}
    sizes = {"item_id": n_item, "user_id": n_user, "gender": 2, "age": 57, "occupation": 21, "zip": len(zips),
             "year": len(years), "title": len(words), "genres": len(kinds) + 1}
    columns = {k: torch.from_numpy(v) for k, v in columns.items()}
    return columns, sizes, torch.from_numpy((rating >= 4).astype(np.float32)), item, when, count


def split(item, when, count, n=200, k=20):
    """Row lists: train_base (items with more than n rows), then per new item (3k..n rows) its rows in order of time."""
    order = np.argsort(when, kind="stable")
    seen, parts = np.zeros(len(count), np.int64), [[] for _ in range(5)]
    for r in order:
        i = item[r]
        if count[i] > n:
            parts[0].append(r)
        elif count[i] >= 3 * k:
            parts[min(1 + seen[i] // k, 4)].append(r)
            seen[i] += 1
    return dict(zip(("base", "a", "b", "c", "test"), (torch.tensor(p) for p in parts)))


class Rows:
    """The rows of one part."""

    def __init__(self, columns, label, rows):
        self.columns, self.label = {k: v[rows] for k, v in columns.items()}, label[rows]

    def __len__(self):
        return len(self.label)

    def take(self, index):
        return {k: v[index] for k, v in self.columns.items()}, self.label[index]

    def batches(self, size):
        if SAMPLE_WISE:
            yield from torch.utils.data.DataLoader(self, batch_size=size, shuffle=True)
            return
        for index in torch.randperm(len(self)).split(size):
            yield self.take(index)

    def __getitem__(self, i):
        return {k: v[i] for k, v in self.columns.items()}, self.label[i]


def auc(score, label):
    score, label = score.double().numpy(), label.numpy() > 0.5
    _, inverse, n = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(n) - (n - 1) / 2)[inverse]
    p = label.sum()
    return (rank[label].sum() - p * (p + 1) / 2) / (p * (len(label) - p))


# ---------------------------------------------------------------- backbone

def embed(table, ids):
    return F.embedding_bag(ids, table, mode="sum") if ids.dim() == 2 else F.embedding(ids, table)


class DeepFM(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.fields = list(sizes)                       # item_id first
        self.tables = nn.ParameterDict({k: torch.empty(n, D) for k, n in sizes.items()})
        self.real_vectors, self.first_order = nn.Parameter(torch.empty(2, D)), nn.Parameter(torch.empty(2))
        block = lambda i, o: [nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU(), nn.Dropout(0.2)]
        self.mlp = nn.Sequential(*block((len(sizes) + 2) * D, 16), *block(16, 16), nn.Linear(16, 1))
        for p in self.parameters():
            nn.init.uniform_(p, -0.01, 0.01)

    def forward(self, x, item=None):
        e = [embed(self.tables[k], x[k]) for k in self.fields]
        if item is not None:
            e[0] = item
        reals = torch.stack((x["time_stamp"], x["count"]), 1)
        e = torch.cat((torch.stack(e, 1), reals[:, :, None] * self.real_vectors), 1)
        fm = 0.5 * (e.sum(1).square().sum(1) - e.square().sum((1, 2)))
        return reals @ self.first_order + fm + self.mlp(e.flatten(1)).squeeze(1)


# ---------------------------------------------------------------- generators

class Generator(nn.Module):
    """Side tables N(0, 1), linear maps U(-0.01, 0.01)."""

    def __init__(self, sizes, maps):
        super().__init__()
        self.tables = nn.ParameterDict({k: torch.randn(sizes[k], D) for k in SIDE})
        self.maps = nn.ModuleDict({k: nn.Linear(i, D) for k, i in maps.items()})
        for p in self.maps.parameters():
            nn.init.uniform_(p, -0.01, 0.01)

    def side(self, x):
        return torch.cat([embed(self.tables[k], x[k]) for k in SIDE] + [x["count"][:, None]], 1)

    def decode(self, z, x):
        return self.maps["decode"](torch.cat((z, x["count"][:, None]), 1))


class Cvar(Generator):
    def __init__(self, sizes):
        w = 4 * D + 1
        super().__init__(sizes, {"mean": D, "log_var": D, "prior_mean": w, "prior_log_var": w, "decode": D + 1})

    def generate(self, x):
        s = self.side(x)
        mean, log_var = self.maps["prior_mean"](s), self.maps["prior_log_var"](s)
        return self.decode(mean + 1e-4 * (0.5 * log_var).exp() * torch.randn_like(mean), x), mean, log_var

    def loss(self, net, x, y):
        e = net.tables["item_id"][x["item_id"]].detach()
        warm, prior_mean, prior_log_var = self.generate(x)
        mean, log_var = self.maps["mean"](e), self.maps["log_var"](e)
        r = self.decode(mean + 1e-4 * (0.5 * log_var).exp() * torch.randn_like(mean), x)
        w2 = (mean - prior_mean).square().sum() + ((0.5 * log_var).exp() - (0.5 * prior_log_var).exp()).square().sum()
        ctr = F.binary_cross_entropy_with_logits(net(x, warm), y)
        return ctr + (r - e).square().sum(1).mean() + 1e-4 * w2


class Csdm(Generator):
    def __init__(self, sizes, root, train_denoiser, stride, rho):
        super().__init__(sizes, {"side": 4 * D + 1, "item": D, "decode": D + 1})
        self.denoiser = nn.ModuleList([nn.Linear(32, 32), nn.Linear(48, 16)] + [nn.Linear(16, 16) for _ in range(3)])
        for layer in self.denoiser:
            nn.init.xavier_normal_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-3)
        self.denoiser.requires_grad_(train_denoiser)
        self.stride, self.rho = stride, rho
        alpha = (1 - BETA) ** np.arange(1, T + 1)                  # index 0 is t = 1
        c = np.cumsum(1 / np.sqrt(alpha)) * np.sqrt(alpha)         # sum_k sqrt(alpha_t / alpha_k)
        c = c / c[-1]
        k = np.sqrt(c) if root else c
        for name, v in (("a", np.sqrt(alpha)), ("b", np.sqrt(1 - alpha)), ("k", k)):
            self.register_buffer(name, torch.tensor(v, dtype=torch.float32))
        freq = torch.exp(-math.log(1e4) * torch.arange(16) / 16)
        angle = torch.arange(T)[:, None] * freq
        self.register_buffer("position", torch.cat((angle.cos(), angle.sin()), 1))

    def epsilon(self, z, t):
        """t: index [B], or one int for all rows."""
        time_, first, *rest = self.denoiser
        p = time_(self.position[t] if torch.is_tensor(t) else self.position[t:t + 1]).expand(len(z), -1)
        h = first(torch.cat((F.dropout(z, 0.5, self.training), p), 1))
        for layer in rest:
            h = layer(h.tanh())
        return h

    def generate(self, x):
        h = self.maps["side"](self.side(x))
        z = h
        for t in reversed(range(0, T, self.stride)):
            e = self.epsilon(z, t)
            z = (z - self.k[t] * h - self.b[t] * e) / self.a[t]
            if t > 0:
                to = t - self.stride
                z = self.a[to] * z + self.b[to] * e + self.k[to] * h
        return self.decode(z, x), h

    def loss(self, net, x, y):
        warm, h = self.generate(x)
        z0 = self.maps["item"](net.tables["item_id"][x["item_id"]].detach())
        t, noise = torch.randint(T, (len(y),)), torch.randn(len(y), D)
        z = self.a[t, None] * z0 + self.k[t, None] * F.dropout(h, 0.5, self.training) + self.b[t, None] * noise
        return F.binary_cross_entropy_with_logits(net(x, warm), y) + self.rho * F.mse_loss(self.epsilon(z, t), noise)


# ---------------------------------------------------------------- protocol

def adam(parameters):
    return torch.optim.Adam([p for p in parameters if p.requires_grad], 1e-3, weight_decay=1e-6, fused=not SAMPLE_WISE)


def descend(loss, optimiser):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def fit(net, rows, batch):
    optimiser = adam(net.parameters())
    net.train()
    for x, y in rows.batches(batch):
        descend(F.binary_cross_entropy_with_logits(net(x), y), optimiser)


def evaluate(net, rows):
    net.eval()
    with torch.no_grad():
        return auc(torch.cat([net(rows.take(i)[0]) for i in torch.arange(len(rows)).split(16384)]), rows.label)


def fit_generator(gen, net, rows, batch, epochs, iters):
    net.requires_grad_(False).train()                   # weights frozen, batch norm's statistics and dropout are not
    gen.train()
    optimiser = adam(gen.parameters())
    for _ in range(epochs):
        for x, y in rows.batches(batch):
            for _ in range(iters):
                descend(gen.loss(net, x, y), optimiser)


def write_back(gen, net, rows, random):
    """random: in training mode, a draw per row, an item's last row wins; else one pass in evaluation mode per item."""
    gen.train(random)
    item = rows.columns["item_id"].numpy()
    last = len(item) - 1 - np.unique(item[::-1], return_index=True)[1]   # equal in law to drawing for every row
    x, _ = rows.take(torch.from_numpy(last))
    with torch.no_grad():
        net.tables["item_id"][x["item_id"]] = gen.generate(x)[0]


def run(method, net, parts, sizes, o):
    gen, random = None, False
    if method == "cvar":
        gen, random = Cvar(sizes), True
    elif method == "csdm-released":
        gen, random = Csdm(sizes, False, False, o.stride, o.rho), True
    elif method == "csdm-paper":
        gen = Csdm(sizes, True, True, o.stride, o.rho)
    out = {}
    if gen:
        fit_generator(gen, net, parts["base"], o.batch, 1, o.iters)
        write_back(gen, net, parts["a"], random)
    out["cold"] = evaluate(net, parts["test"])
    for phase in "abc":
        net.requires_grad_(False).tables["item_id"].requires_grad_(True)
        fit(net, parts[phase], o.batch)
        if gen:
            fit_generator(gen, net, parts[phase], o.batch, 2, o.iters)
            write_back(gen, net, parts["a"], random)
        out[f"warm-{phase}"] = evaluate(net, parts["test"])
    return out


def rate(net, parts, sizes, o):
    """Samples per second of the pre-training's or of the generator's first steps."""
    rows, gen = parts["base"], None
    if o.only == "generator":
        gen = Cvar(sizes) if o.methods == "cvar" else Csdm(sizes, True, True, o.stride, o.rho)
        net.requires_grad_(False)
    net.train()
    optimiser = adam((gen or net).parameters())
    loss = lambda x, y: gen.loss(net, x, y) if gen else F.binary_cross_entropy_with_logits(net(x), y)
    first = rows.take(torch.arange(min(o.batch, len(rows))))
    if o.compile:
        loss = torch.compile(loss, dynamic=False)
        descend(loss(*first), optimiser)                # The compiler's time is not a step's.
    samples, start = 0, time.perf_counter()
    for x, y in rows.batches(o.batch):
        if o.compile and len(y) < o.batch:
            break
        for _ in range(o.iters if gen else 1):
            descend(loss(x, y), optimiser)
            samples += len(y)
        if samples >= o.steps * o.batch:
            break
    seconds = time.perf_counter() - start
    counted = {} if o.compile else {"multiply_adds_per_sample": multiply_adds(lambda: loss(*first).backward(), len(first[1]))}
    figure(samples / seconds, **counted)


def main():
    global SAMPLE_WISE
    p = argparse.ArgumentParser()
    p.add_argument("--raw", required=True)
    p.add_argument("--methods", default="base,cvar,csdm-released,csdm-paper")
    p.add_argument("--seeds", default="1", help="comma-separated")
    p.add_argument("--iters", type=int, default=10)
    p.add_argument("--rho", type=float, default=1e-3)
    p.add_argument("--stride", type=int, default=10)
    p.add_argument("--batch", type=int, default=2048)
    p.add_argument("--base-rows", type=int, help="use only this many rows of train_base (smoke test)")
    p.add_argument("--only", choices=["pretrain", "generator"], help="measure the rate of this alone")
    p.add_argument("--steps", type=int, default=1000000)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--sample-wise", action="store_true")
    p.add_argument("--compile", action="store_true", help="with --only, by torch.compile")
    o = p.parse_args()
    SAMPLE_WISE = o.sample_wise
    torch.set_num_threads(o.threads)
    torch.set_flush_denormal(True)

    start = time.time()
    columns, sizes, label, item, when, count = read(o.raw)
    rows = split(item, when, count)
    if o.base_rows:
        rows["base"] = rows["base"][:o.base_rows]
    parts = {k: Rows(columns, label, r) for k, r in rows.items()}
    print("read and split", f"{time.time() - start:.1f} s;", {k: len(r) for k, r in rows.items()}, sizes, flush=True)
    if o.only:
        torch.manual_seed(1)
        return rate(DeepFM(sizes), parts, sizes, o)
    for seed in map(int, o.seeds.split(",")):
        torch.manual_seed(seed)
        start = time.time()
        net = DeepFM(sizes)
        fit(net, parts["base"], o.batch)
        print(f"seed {seed} pre-training {time.time() - start:.1f} s", flush=True)
        for method in o.methods.split(","):
            torch.manual_seed(1000 * seed + 7)
            start = time.time()
            out = run(method, copy.deepcopy(net), parts, sizes, o)
            text = "  ".join(f"{k} {v:.4f}" for k, v in out.items())
            print(f"seed {seed} {method:14} {text}  {time.time() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
