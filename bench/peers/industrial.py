"""What the programs for the industrial stand-ins share: the data as tensors, the loop, the measures. Does nothing when run.

All tensors are resident, batches are index selections, sequences are padded to the batch's longest. Reads a folder with impressions.csv,
users.csv, items.csv, histories.csv (the cache of a run on simulated data has one under data/cache/simulated) and
click_probability.f32, and prints samples per second, peak memory and expected AUC by scenario; it writes nothing.
"""
import argparse, os, time

from figure import figure, multiply_adds

parser = argparse.ArgumentParser()
parser.add_argument("--raw", required=True)
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--steps", type=int, default=0, help="stop an epoch after so many steps")


def parsed():
    """The arguments; libtorch's threads are set before it is loaded."""
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    return args


class Data:
    """The log. `user` and `item` are [rows, 1 + attributes], the id first; `tokens` are items likewise, the last one padding."""

    def __init__(self, raw, length):
        import numpy as np
        import torch
        table = lambda name: np.loadtxt(os.path.join(raw, name), delimiter=",", skiprows=1, dtype=np.int64, ndmin=2)

        def place(ids, of):
            order = np.argsort(ids)
            return order[np.searchsorted(ids, of, sorter=order)]

        log, users, items, past = (table(n) for n in ("impressions.csv", "users.csv", "items.csv", "histories.csv"))
        self.truth = np.fromfile(os.path.join(raw, "click_probability.f32"), dtype=np.float32)
        user, item = place(users[:, 0], log[:, 1]), place(items[:, 0], log[:, 5])
        self.scenario, self.when, click = log[:, 2], log[:, 3], log[:, 6]

        # Every user's clicks in order of time, those before the log first; a row sees those with an earlier time.
        who = np.concatenate((place(users[:, 0], past[:, 0]), user[click == 1]))
        what = np.concatenate((place(items[:, 0], past[:, 2]), item[click == 1]))
        at = np.concatenate((past[:, 1], self.when[click == 1]))
        order = np.lexsort((at, who))
        who, what, at = who[order], what[order], at[order]
        key = lambda u, t: u * (1 << 34) + t
        start, end = np.searchsorted(who, user), np.searchsorted(key(who, at), key(user, self.when))
        start = np.maximum(start, end - length)

        tensor = lambda columns: torch.from_numpy(np.column_stack(columns).astype(np.int64))
        self.user, self.item = tensor((user, users[user, 1:])), tensor((item, items[item, 1:]))
        self.context = tensor((self.when % 86400 // 3600, np.minimum(log[:, 4], 19)))
        self.of_scenario = torch.from_numpy(self.scenario)
        self.tokens = torch.cat((tensor((what, items[what, 1:])), torch.zeros(1, items.shape[1], dtype=torch.int64)))
        self.start, self.length = torch.from_numpy(start), torch.from_numpy(end - start)
        self.label = torch.from_numpy(click.astype(np.float32))
        self.users, self.items = len(users), len(items)

    def sequences(self, rows):
        """The behaviours of some rows, oldest first [B, L, 1 + attributes], and their mask [B, L]."""
        import torch
        n = max(int(self.length[rows].max()), 1)
        places = torch.arange(n)
        mask = places < self.length[rows][:, None]
        return self.tokens[torch.where(mask, self.start[rows][:, None] + places, -1)], mask.float()


def expected_auc(score, p):
    """Rows count as p positives and 1 - p negatives; pairs of a row with itself are left out."""
    import numpy as np
    order = np.argsort(score, kind="stable")
    p = p[order].astype(np.float64)
    below = np.cumsum(1 - p) - (1 - p)
    return (p * below).sum() / (p.sum() * (1 - p).sum() - (p * (1 - p)).sum())


def run(args, data, loss, logits, optimizer, batch, valid, test):
    """Trains by `loss(rows)` and evaluates by `logits(rows)`; `valid` and `test` are the times from which rows validate and test."""
    import numpy as np
    import torch
    train, rows = torch.from_numpy(np.flatnonzero(data.when < valid)), np.flatnonzero(data.when >= test)
    samples, began = 0, time.perf_counter()
    for epoch in range(args.epochs):
        for step, own in enumerate(train[torch.randperm(len(train))].split(batch)):
            optimizer.zero_grad()
            loss(own).backward()
            optimizer.step()
            samples += len(own)
            if step + 1 == args.steps:
                break
    seconds = time.perf_counter() - began
    print(f"{samples / seconds:,.0f} samples/s in training, {seconds:.1f} s")
    if not args.steps:
        with torch.no_grad():
            score = torch.cat([logits(own) for own in torch.from_numpy(rows).split(4096)]).numpy()
        truth, scenario = data.truth[rows], data.scenario[rows]
        by = [expected_auc(score[own], truth[own]) for s in np.unique(scenario) if len(own := np.flatnonzero(scenario == s))]
        print("expected AUC by scenario:", " ".join(f"{a:.4f}" for a in by), "mean", f"{np.mean(by):.4f}",
              "all", f"{expected_auc(score, truth):.4f}")
    own = train[:batch]
    figure(samples / seconds, multiply_adds_per_sample=multiply_adds(lambda: loss(own).backward(), len(own)))
