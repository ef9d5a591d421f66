"""What the golden cases of models for several domains and tasks share: an invented world of two domains and two tasks.

Rows of the domains are mixed. A reference goes row by row and takes its domain's parameters from the stacks by index, so
that the routing of whole batches is checked. With batch norm it goes head by head: every head sees all rows, and a row
keeps what its own domain's heads give. This file does nothing when run.
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
    """`indicator` says whether the domain is a field too; `single` that there is one domain and one task; `alone` that the
    last domain has one row."""

    def __init__(self, indicator=True, single=False, domains=DOMAINS, alone=False):
        fields = [(name, role, domains if name == "domain" else rows) for name, role, rows in FIELDS]
        self.fields = [f for f in fields if f[0] != "domain" or indicator]
        self.drawn, self.alone = domains, alone
        self.tables = {name: rows for name, _, rows in self.fields if rows}
        self.reals = [name for name, _, rows in self.fields if not rows]
        self.width = len(self.tables) * D + len(self.reals)
        self.domains, self.labels = (1, LABELS[:1]) if single else (domains, LABELS)

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
        domain = below(self.drawn)
        if self.alone:
            domain[domain == self.drawn - 1] = 0
            domain[7] = self.drawn - 1
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
        """A case with three optimiser steps; `logits(p, x, train)` [B, T], or with what the model adds to the loss."""
        def forward(p, x, train):
            z = logits(p, x, train)
            z, more = z if isinstance(z, tuple) else (z, 0)
            labels = torch.stack([x[f"label.{name}"] for name in self.labels], 1)
            return {"logits": z, "loss": F.binary_cross_entropy_with_logits(z, labels) + more}

        trainable = [k for k in weights if ".running_" not in k]
        flags = "--train-no-dropout --steps 3" if train else "--steps 3"
        write_case(case, flags, self.config(model), weights, self.batch(seed), forward, trainable, train, 3)


def stacked(g, name, copies, widths, norm=True, batch=False):
    """Weights of `copies` networks side by side: linear [copies, in, out], then layer norm or batch norm."""
    w = {}
    for i, (inputs, outputs) in enumerate(zip(widths, widths[1:])):
        w |= layer(g, f"{name}.{i}.linear", copies, inputs, outputs)
        if norm:
            w[f"{name}.{i}.norm.weight"] = normal(g, copies, outputs, mean=1)
            w[f"{name}.{i}.norm.bias"] = normal(g, copies, outputs)
        if batch:
            # Before batch norm a bias has no gradient but rounding; away from zero its decay outweighs that.
            w[f"{name}.{i}.linear.bias"] += 2 * w[f"{name}.{i}.linear.bias"].sign()
            w[f"{name}.{i}.norm.running_mean"] = normal(g, copies, outputs)
            w[f"{name}.{i}.norm.running_var"] = (0.5 + torch.rand(copies, outputs, generator=g)).double()
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


def towers(g, width=WIDTH, heads=HEADS, batch=False):
    return stacked(g, "towers", heads, (width, TOWER), batch=batch) | layer(g, "towers.out", heads, TOWER, 1)


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


def run_copy(p, name, copy, h, train):
    """A copy of stacked networks with batch norm on all rows; running statistics are updated in place."""
    i = 0
    while f"{name}.{i}.linear.weight" in p:
        norm = [p[f"{name}.{i}.norm.{k}"][copy] for k in ("running_mean", "running_var", "weight", "bias")]
        h = F.relu(F.batch_norm(affine(p, f"{name}.{i}.linear", copy, h), *norm, train))
        i += 1
    return h


def tower_of_all(p, head, u, train):
    """[B]"""
    return affine(p, "towers.out", head, run_copy(p, "towers", head, u, train))[:, 0]


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


def head_by_head(world, heads):
    """Logits of a model from `heads(p, z, train)`, the logits [B] of every head for all rows z."""
    def logits(p, x, train):
        return own(heads(p, world.flat(p, x), train), x)
    return logits


def own(heads, x):
    """[B, T]: what belongs to a row's own domain."""
    rows = enumerate(x["scenario"].tolist())
    return torch.stack([torch.stack([heads[d * TASKS + t][i] for t in range(TASKS)]) for i, d in rows])


def gated(weights, experts):
    """One row's experts, or those of all rows."""
    weights = torch.softmax(weights, -1).unbind(-1)
    return sum(w[..., None] * e for w, e in zip(weights, experts, strict=True))
