"""What the golden cases of models for several domains and tasks share: an invented world of two domains and two tasks.

Rows of the domains are mixed. A reference goes row by row and takes its domain's parameters from the stacks by index, so
that the routing of whole batches is checked. This file does nothing when run.
"""
import torch
import torch.nn.functional as F

from common import apply, generator, linear, normal, write_case

B, D, DOMAINS, TASKS = 24, 4, 2, 2
HEADS = DOMAINS * TASKS
TOWER = 5
EXPERT = (10, 6)        # widths of an expert's or a bottom's layers
WIDTH = EXPERT[-1]

# In the order in which models see them: (name, role, table rows or None).
FIELDS = [
    ("item_id", "item", 13),
    ("user_id", "user", 11),
    ("gender", "user", 3),
    ("domain", "scenario", DOMAINS),
    ("hour", "context", None),
    ("count", "item", None),
]
LABELS = ["click", "like"]


class World:
    """`indicator` says whether the domain is a field too; `single` that there is one domain and one task."""

    def __init__(self, indicator=True, single=False):
        self.fields = [f for f in FIELDS if f[0] != "domain" or indicator]
        self.tables = {name: rows for name, _, rows in self.fields if rows}
        self.reals = [name for name, _, rows in self.fields if not rows]
        self.width = len(self.tables) * D + len(self.reals)
        self.domains, self.labels = (1, LABELS[:1]) if single else (DOMAINS, LABELS)

    def config(self, model):
        """The text of config.yaml; `model` are the lines of the model's mapping."""
        out = ["schema:", "  tables:"]
        out += [f"    - {{name: {name}, rows: {rows}}}" for name, rows in self.tables.items()]
        out += ["  fields:"]
        for name, role, rows in self.fields:
            kind = f"kind: id, table: {name}" if rows else "kind: real"
            out.append(f"    - {{name: {name}, role: {role}, {kind}}}")
        scenarios = [f"d{i}" for i in range(self.domains)]
        out += [f"  tasks: [{', '.join(self.labels)}]", f"  scenarios: [{', '.join(scenarios)}]", "model:"]
        out += [f"  {line}" for line in model]
        out += ["optim:", "  name: adam", "  lr: 1.0e-3", "  weight_decay: 1.0e-6"]
        return "\n".join(out) + "\n"

    def batch(self, seed):
        """Ids repeat; the last row of the item and user tables is never used."""
        g = generator(seed)
        below = lambda n: torch.randint(0, n, (B,), generator=g)
        domain = below(DOMAINS)
        batch = {"ids.item_id": below(12), "ids.user_id": below(10), "ids.gender": below(3)}
        batch |= {"real.hour": torch.rand(B, generator=g), "real.count": torch.rand(B, generator=g)}
        batch |= {f"label.{name}": below(2).float() for name in self.labels}
        batch["scenario"] = domain % self.domains
        if "domain" in self.tables:
            batch["ids.domain"] = domain
        return batch

    def weights(self, g):
        return {f"embedding.{name}": normal(g, rows, D, std=1.0) for name, rows in self.tables.items()}

    def flat(self, p, x):
        """z [B, width]"""
        vectors = [p[f"embedding.{name}"][x[f"ids.{name}"]] for name in self.tables]
        return torch.cat(vectors + [x[f"real.{name}"][:, None] for name in self.reals], 1)

    def write(self, case, model, weights, logits, train=False, seed=2):
        """A case with three optimiser steps; `logits(p, x, train)` [B, T]."""
        def forward(p, x, train):
            z = logits(p, x, train)
            labels = torch.stack([x[f"label.{name}"] for name in self.labels], 1)
            return {"logits": z, "loss": F.binary_cross_entropy_with_logits(z, labels)}

        trainable = [k for k in weights if ".running_" not in k]
        flags = "--train-no-dropout --steps 3" if train else "--steps 3"
        write_case(case, flags, self.config(model), weights, self.batch(seed), forward, trainable, train, 3)


def stacked(g, name, copies, widths, norm=True):
    """Weights of `copies` networks side by side: linear [copies, in, out], then layer norm."""
    w = {}
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        w |= layer(g, f"{name}.{i}.linear", copies, inputs, outputs)
        if norm:
            w[f"{name}.{i}.norm.weight"] = normal(g, copies, outputs, mean=1)
            w[f"{name}.{i}.norm.bias"] = normal(g, copies, outputs)
    return w


def layer(g, name, copies, inputs, outputs):
    return {f"{name}.weight": normal(g, copies, inputs, outputs), f"{name}.bias": normal(g, copies, outputs)}


def network(g, name, widths):
    """Weights of one network, as `torch.nn.Linear` has them, with layer norm."""
    w = {}
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        w |= linear(g, f"{name}.{i}.linear", inputs, outputs)
        w |= {f"{name}.{i}.norm.weight": normal(g, outputs, mean=1), f"{name}.{i}.norm.bias": normal(g, outputs)}
    return w


def towers(g, width=WIDTH):
    return stacked(g, "towers", HEADS, (width, TOWER)) | layer(g, "towers.out", HEADS, TOWER, 1)


def affine(p, name, copy, h):
    """A copy of a stacked linear layer on one row."""
    return h @ p[f"{name}.weight"][copy] + p[f"{name}.bias"][copy]


def run_stacked(p, name, copy, h):
    """A copy of stacked networks on one row: as many layers as there are weights, layer norm where it has weights."""
    i = 0
    while f"{name}.{i}.linear.weight" in p:
        h = affine(p, f"{name}.{i}.linear", copy, h)
        if f"{name}.{i}.norm.weight" in p:
            h = F.layer_norm(h, h.shape, p[f"{name}.{i}.norm.weight"][copy], p[f"{name}.{i}.norm.bias"][copy])
        h, i = F.relu(h), i + 1
    return h


def run(p, name, h):
    """A network on one row."""
    i = 0
    while f"{name}.{i}.linear.weight" in p:
        h = apply(p, f"{name}.{i}.linear", h)
        h = F.layer_norm(h, h.shape, p[f"{name}.{i}.norm.weight"], p[f"{name}.{i}.norm.bias"])
        h, i = F.relu(h), i + 1
    return h


def tower(p, head, u):
    return affine(p, "towers.out", head, run_stacked(p, "towers", head, u))[0]


def row_by_row(world, row):
    """Logits of a model from `row(p, z, d)`, the logits of the tasks for one row z of domain d."""
    def logits(p, x, train):
        rows = zip(world.flat(p, x), x["scenario"].tolist())
        return torch.stack([torch.stack(row(p, z, d)) for z, d in rows])
    return logits


def gated(weights, experts):
    return sum(w * e for w, e in zip(torch.softmax(weights, 0), experts, strict=True))
