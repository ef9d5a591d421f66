#!/usr/bin/env python3
"""Stages of Diff-MSR on Douban in plain PyTorch: a second program for the same work, to measure scenarec beside.

Written from the paper and the released program's documented behaviour, and "done well": all tensors resident, batches are index
selections, fused Adam over the dense table. Reads the files of `douban-partial` (Movie's validation rows train, less every
tenth, which validate) and writes nothing. --only is one of

- fnn, dcn: stage 1 on all domains. After each of --epochs passes come the validation AUC and a copy of the best net: scenarec has
  them in its stage's rate too, as its seconds are those of the whole loop. With --steps an epoch ends after so many, without them.
- unet: stage 2 on Music's rows, a network for each label, whole passes until --steps steps are taken; nothing is validated, as in
  scenarec before `min_steps`. The rate is the mean of both labels', as `scenarec bench` takes it. The vectors are those that a net
  begins with.
- sampling: what stage 4 begins with, --rows rows from noise with labels as Music's, 500 steps of DDPM each, by networks that are not
  trained. scenarec's stage `pool` has no rate but its seconds, so these are what compares; samples_per_second are finished rows.

--sample-wise loads the rows of fnn and dcn as the released program does: a dataset of rows and a loader that stacks them, with
Adam as it is by default. (Its loader has eight processes; here it has none, so that threads are as many as in the others.)

    python bench/peers/diff_msr.py --raw data/raw/douban-splits --only fnn --threads 1
"""
import argparse, math, os, time

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parametrize
import torch.nn.functional as F

from figure import figure, multiply_adds

D, B, T = 16, 512, 500
SIZES, HIDDEN, LAYERS = (3, 2718, 21909), (256, 256, 256), 3          # domains, users, items; DCN's cross layers
CHANNELS, HEADS, HEAD, GROUPS = (16, 32, 64, 128), 4, 32, 8


# ---------------------------------------------------------------- data

class Rows:
    """Places in the one table of domains, users and items, and labels."""

    def __init__(self, lines, sample_wise=False):
        self.ids, self.label = lines[:, :3] + np.cumsum((0, *SIZES[:2])), lines[:, 3].astype(np.float32)
        self.sample_wise = sample_wise
        if not sample_wise:
            self.ids, self.label = torch.from_numpy(self.ids), torch.from_numpy(self.label)

    def __len__(self):
        return len(self.label)

    def __getitem__(self, i):
        return self.ids[i], self.label[i]

    def batches(self, size, shuffle):
        if self.sample_wise:
            return torch.utils.data.DataLoader(self, batch_size=B, shuffle=shuffle)
        order = torch.randperm(len(self)) if shuffle else torch.arange(len(self))
        return (self[rows] for rows in order.split(size))


def lines(domain, part):
    return np.loadtxt(os.path.join(o.raw, f"douban_{domain}_{part}.csv"), dtype=np.int64, delimiter=",", skiprows=1)


def auc(score, label):
    _, inverse, n = np.unique(score, return_inverse=True, return_counts=True)
    rank, positive = (np.cumsum(n) - (n - 1) / 2)[inverse], label > 0.5
    p = positive.sum()
    return (rank[positive].sum() - p * (p + 1) / 2) / (p * (len(label) - p))


# ---------------------------------------------------------------- backbones

class Fnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(sum(SIZES), D)
        nn.init.xavier_uniform_(self.table.weight)
        widths = (len(SIZES) * D, *HIDDEN)
        block = lambda i, o: (nn.Linear(i, o), nn.BatchNorm1d(o), nn.ReLU())
        self.mlp = nn.Sequential(*(layer for pair in zip(widths, HIDDEN) for layer in block(*pair)))
        self.out = nn.Linear(HIDDEN[-1], 1)

    def forward(self, ids):
        return self.out(self.mlp(self.table(ids).flatten(1))).squeeze(1)


class Dcn(Fnn):
    def __init__(self):
        super().__init__()
        width = len(SIZES) * D
        self.cross, self.bias = nn.Parameter(torch.empty(LAYERS, width)), nn.Parameter(torch.zeros(LAYERS, width))
        nn.init.uniform_(self.cross, -width ** -0.5, width ** -0.5)
        self.out = nn.Linear(width + HIDDEN[-1], 1)

    def forward(self, ids):
        x0 = x = self.table(ids).flatten(1)
        for weight, bias in zip(self.cross, self.bias):
            x = torch.addcmul(x + bias, x0, (x @ weight)[:, None])
        return self.out(torch.cat((x, self.mlp(x0)), 1)).squeeze(1)


# ---------------------------------------------------------------- denoiser

class Standard(nn.Module):
    """Brings each output's weights to mean 0 and variance 1."""

    def forward(self, weight):
        return F.layer_norm(weight, weight.shape[1:])


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        conv = lambda i: parametrize.register_parametrization(nn.Conv1d(i, outputs, 3, padding=1), "weight", Standard())
        self.time = nn.Linear(4 * CHANNELS[0], 2 * outputs)
        self.first, self.first_norm = conv(inputs), nn.GroupNorm(GROUPS, outputs)
        self.second = nn.Sequential(conv(outputs), nn.GroupNorm(GROUPS, outputs), nn.SiLU())
        self.skip = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, time):
        scale, shift = self.time(time)[:, :, None].chunk(2, 1)
        y = F.silu(torch.addcmul(shift, self.first_norm(self.first(x)), scale + 1))
        return self.second(y) + self.skip(x)


class Attention(nn.Module):
    """Over a row's positions, which are few; the linear form takes the softmax of queries and keys by themselves."""

    def __init__(self, channels, linear):
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(channels, bias=False), linear
        self.qkv, self.out = nn.Linear(channels, 3 * HEADS * HEAD, bias=False), nn.Linear(HEADS * HEAD, channels)
        self.out_norm = nn.LayerNorm(channels, bias=False) if linear else nn.Identity()

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x.transpose(1, 2))).unflatten(2, (3, HEADS, HEAD)).permute(2, 0, 3, 1, 4)
        if self.linear:
            y = (q.softmax(3) * HEAD ** -0.5) @ (k.softmax(2).transpose(2, 3) @ v)
        else:
            y = F.scaled_dot_product_attention(q, k, v)
        return x + self.out_norm(self.out(y.transpose(1, 2).flatten(2))).transpose(1, 2)


class Level(nn.Module):
    def __init__(self, inputs, channels, resample):
        super().__init__()
        self.blocks = nn.ModuleList((Block(inputs, channels), Block(inputs, channels)))
        self.attention, self.resample = Attention(channels, linear=True), resample


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        first, last, half = CHANNELS[0], CHANNELS[-1], CHANNELS[0] // 2
        angles = torch.arange(T)[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / (half - 1))
        self.register_buffer("positions", torch.cat((angles.sin(), angles.cos()), 1))
        # Every block would begin with the SiLU.
        self.time = nn.Sequential(nn.Linear(first, 4 * first), nn.GELU(), nn.Linear(4 * first, 4 * first), nn.SiLU())
        self.stem = nn.Conv1d(2, first, 1)
        pairs = list(zip((first, *CHANNELS), CHANNELS))
        down = lambda i, a, b: nn.Conv1d(a, b, 1) if i == len(pairs) - 1 else nn.Conv1d(a, b, 4, 2, 1)
        doubled = lambda a, b: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv1d(b, a, 3, padding=1))
        up = lambda i, a, b: nn.Conv1d(b, a, 1) if i == 0 else doubled(a, b)
        self.down = nn.ModuleList(Level(a, a, down(i, a, b)) for i, (a, b) in enumerate(pairs))
        self.middle = nn.ModuleList((Block(last, last), Attention(last, linear=False), Block(last, last)))
        self.up = nn.ModuleList(Level(a + b, b, up(i, a, b)) for i, (a, b) in reversed(list(enumerate(pairs))))
        self.head, self.out = Block(2 * first, first), nn.Conv1d(first, 2, 1)

    def forward(self, z, t):
        """z [B, 2, D], t [B], or [1] where all rows are at one step"""
        time, passed = self.time(self.positions[t]), []
        x = stem = self.stem(z)
        for level in self.down:
            x = level.blocks[0](x, time)
            passed.append(x)
            x = level.attention(level.blocks[1](x, time))
            passed.append(x)
            x = level.resample(x)
        x = self.middle[2](self.middle[1](self.middle[0](x, time)), time)
        for level in self.up:
            x = level.blocks[0](torch.cat((x, passed.pop()), 1), time)
            x = level.blocks[1](torch.cat((x, passed.pop()), 1), time)
            x = level.resample(level.attention(x))
        return self.out(self.head(torch.cat((x, stem), 1), time))


class Process:
    """z_t = signal z_0 + share noise by the piece-wise schedule; the network predicts signal noise - share z_0."""

    def __init__(self):
        beta = np.concatenate((np.full(50, 2e-4), np.linspace(2e-4, 0.05, T - 50)))
        kept = np.cumprod(1 - beta)
        self.beta, self.kept = beta.tolist(), kept.tolist()
        root = lambda v: torch.tensor(v ** 0.5, dtype=torch.float32)[:, None, None]
        self.signal, self.share = root(kept), root(1 - kept)

    def loss(self, net, z0):
        t, noise = torch.randint(T, (len(z0),)), torch.randn_like(z0)
        signal, share = self.signal[t], self.share[t]
        return F.mse_loss(net(signal * z0 + share * noise, t), signal * noise - share * z0)

    @torch.inference_mode()
    def rows(self, net, n):
        """DDPM from noise, rows within [-1, 1]; weights are standardised once."""
        z = torch.randn(n, 2, D)
        with parametrize.cached():
            for t in reversed(range(T)):
                beta, kept, before = self.beta[t], self.kept[t], self.kept[t - 1] if t else 1.0
                z0 = (kept ** 0.5 * z - (1 - kept) ** 0.5 * net(z, torch.tensor([t]))).clamp(-1, 1)
                z = beta * before ** 0.5 / (1 - kept) * z0 + (1 - before) * (1 - beta) ** 0.5 / (1 - kept) * z
                if t:
                    z += (beta * (1 - before) / (1 - kept)) ** 0.5 * torch.randn_like(z)
        return z


# ---------------------------------------------------------------- stages

def descend(loss, optimiser):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def pretrain(net):
    movie = lines("movie", "val")
    validates = np.arange(len(movie)) % 10 == 9
    train = Rows(np.concatenate((lines("music", "train"), lines("book", "train"), movie[~validates])), o.sample_wise)
    valid = Rows(np.concatenate((lines("music", "val"), lines("book", "val"), movie[validates])), o.sample_wise)
    optimiser = torch.optim.Adam(net.parameters(), 1e-3, weight_decay=1e-5, fused=not o.sample_wise)
    samples, best, start = 0, (-1.0, None), time.perf_counter()
    for _ in range(o.epochs):
        net.train()
        for step, (ids, label) in enumerate(train.batches(B, True)):
            descend(F.binary_cross_entropy_with_logits(net(ids), label), optimiser)
            samples += len(label)
            if step + 1 == o.steps:
                break
        if o.steps:
            continue
        net.eval()
        with torch.no_grad():
            score = auc(torch.cat([net(ids) for ids, _ in valid.batches(16 * B, False)]).numpy(), np.asarray(valid.label))
        if score > best[0]:
            best = score, {k: v.clone() for k, v in net.state_dict().items()}
    if best[1]:
        net.load_state_dict(best[1])
    seconds = time.perf_counter() - start
    validated = f", validation AUC {best[0]:.4f} of {len(valid)} rows" if best[1] else ""
    print(f"{samples} rows in training, {seconds:.2f} s{validated}")
    net.train()
    ids, label = next(iter(train.batches(B, False)))
    step = lambda: F.binary_cross_entropy_with_logits(net(ids), label).backward()
    figure(samples / seconds, multiply_adds_per_sample=multiply_adds(step, len(label)))


def music(label):
    """User's and item's vectors of Music's training rows with a label, [n, 2, D]."""
    rows = Rows(lines("music", "train"))
    return Fnn().table.weight.detach()[rows.ids[rows.label == label, 1:]]


def diffusion():
    process, rates = Process(), []
    for label in (0, 1):
        z0, net = music(label), Unet()
        optimiser = torch.optim.Adam(net.parameters(), 2e-3, fused=True)
        if o.compile:
            net = torch.compile(net, dynamic=False)
            for rows in torch.arange(len(z0)).split(B)[:1] + torch.arange(len(z0)).split(B)[-1:]:
                descend(process.loss(net, z0[rows]), optimiser)     # The compiler's time is not a step's.
        start = time.perf_counter()
        passes = max(1, math.ceil(o.steps / math.ceil(len(z0) / B)))
        for _ in range(passes):
            for rows in torch.randperm(len(z0)).split(B):
                descend(process.loss(net, z0[rows]), optimiser)
        rates.append(passes * len(z0) / (time.perf_counter() - start))
    print(f"{sum(p.numel() for p in net.parameters())} parameters; samples/s of each label:", *map(round, rates))
    z0, net = z0[:B], Unet()
    figure(np.mean(rates), multiply_adds_per_sample=multiply_adds(lambda: process.loss(net, z0).backward(), len(z0)))


def sampling():
    label, process, nets = Rows(lines("music", "train")).label, Process(), (Unet(), Unet())
    ones = int(label[torch.randint(len(label), (o.rows,))].sum())
    start = time.perf_counter()
    drawn = torch.cat([process.rows(net, n) for net, n in zip(nets, (o.rows - ones, ones))])
    seconds = time.perf_counter() - start
    print(f"{o.rows - ones} and {ones} rows, deviation {drawn.std():.3f}")
    with torch.no_grad():
        call = multiply_adds(lambda: nets[0](drawn, torch.tensor([0])), len(drawn))
    figure(o.rows / seconds, seconds=seconds, multiply_adds_per_sample=T * call)


p = argparse.ArgumentParser()
p.add_argument("--raw", required=True)
p.add_argument("--only", required=True, choices=["fnn", "dcn", "unet", "sampling"])
p.add_argument("--threads", type=int, default=1)
p.add_argument("--seed", type=int, default=1)
p.add_argument("--epochs", type=int, default=1)
p.add_argument("--steps", type=int, default=0)
p.add_argument("--rows", type=int, default=512)
p.add_argument("--sample-wise", action="store_true")
p.add_argument("--compile", action="store_true", help="unet by torch.compile")
o = p.parse_args()
torch.set_num_threads(o.threads)
torch.set_flush_denormal(True)
torch.manual_seed(o.seed)
if o.only == "unet":
    diffusion()
elif o.only == "sampling":
    sampling()
else:
    pretrain(Fnn() if o.only == "fnn" else Dcn())
