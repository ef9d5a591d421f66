"""What the golden cases of models with behaviour sequences share: an invented world of three scenarios and one task.

A row's behaviours are up to six items with their brands, in tables that the row's own item shares. Some rows have none, some
as many as fit. References go row by row, over a row's own behaviours alone, so that masks and padding are checked. This
file does nothing when run.
"""
import torch
import torch.nn.functional as F

from common import apply, generator, linear, normal, write_case

B, D, SCENARIOS, LEN = 20, 4, 3, 6
# In the order in which models see them: (name, role, table rows).
FIELDS = [("item_id", "item", 13), ("brand", "item", 7), ("user_id", "user", 11), ("gender", "user", 3),
          ("hour", "context", 5), ("domain", "scenario", SCENARIOS)]
SEQUENCES = [("items", "item_id"), ("brands", "brand")]
NAMES = [name for name, _, _ in FIELDS]
ITEM = [i for i, (_, role, _) in enumerate(FIELDS) if role == "item"]
TABLES = {name: rows for name, _, rows in FIELDS}


def config(model, sequences=SEQUENCES):
    """The text of config.yaml; `model` are the lines of the model's mapping."""
    out = ["schema:", "  tables:"]
    out += [f"    - {{name: {name}, rows: {rows}}}" for name, rows in TABLES.items()]
    out += ["  fields:"]
    out += [f"    - {{name: {name}, role: {role}, kind: id, table: {name}}}" for name, role, _ in FIELDS]
    out += [f"    - {{name: {name}, role: user, kind: {{sequence: {{max_len: {LEN}}}}}, table: {table}}}"
            for name, table in sequences]
    out += ["  tasks: [click]", f"  scenarios: [{', '.join(f's{i}' for i in range(SCENARIOS))}]"]
    out += ["  item_id: item_id", "  user_id: user_id", "model:"]
    out += [f"  {line}" for line in model]
    out += ["optim:", "  name: adam", "  lr: 1.0e-3", "  weight_decay: 1.0e-6"]
    return "\n".join(out) + "\n"


def batch(seed, sequences=SEQUENCES):
    """Ids repeat; 0 stands for padding, so behaviours begin at 1."""
    g = generator(seed)
    below = lambda n, *shape: torch.randint(0, n, shape, generator=g)
    length = below(LEN + 1, B)
    length[:3] = torch.tensor([0, LEN, 1])
    there = torch.arange(LEN) < length[:, None]
    out = {f"ids.{name}": below(rows, B) for name, rows in TABLES.items()}
    out["scenario"] = out["ids.domain"].clone()
    out |= {f"seq.{name}": (1 + below(TABLES[table] - 1, B, LEN)) * there for name, table in sequences}
    out["label.click"] = below(2, B).float()
    return out


def weights(g):
    return {f"embedding.{name}": normal(g, rows, D, std=1.0) for name, rows in TABLES.items()}


def rows(p, x):
    """Of every row the fields' vectors [F, D], and those of its behaviours [N, D], means over their sequences."""
    fields = torch.stack([p[f"embedding.{name}"][x[f"ids.{name}"]] for name in NAMES], 1)
    for i in range(B):
        n = int((x["seq.items"][i] > 0).sum())
        tokens = [p[f"embedding.{table}"][x[f"seq.{name}"][i, :n]] for name, table in SEQUENCES]
        yield fields[i], sum(tokens) / len(tokens)


def din_weights(g, name, hidden, width=D):
    w = linear(g, f"{name}.first", 4 * width, hidden[0])
    for i, (inputs, outputs) in enumerate(zip(hidden, hidden[1:])):
        w |= linear(g, f"{name}.rest.{i}.linear", inputs, outputs)
    return w | linear(g, f"{name}.rest.out", hidden[-1], 1)


def din(p, name, target, tokens, softmax=False):
    """DIN's pooling of one row's behaviours [N, D]."""
    if not len(tokens):
        return torch.zeros_like(target)
    scores = []
    for v in tokens:
        h, i = F.relu(apply(p, f"{name}.first", torch.cat((target, v, target - v, target * v)))), 0
        while f"{name}.rest.{i}.linear.weight" in p:
            h, i = F.relu(apply(p, f"{name}.rest.{i}.linear", h)), i + 1
        scores.append(apply(p, f"{name}.rest.out", h)[0])
    scores = torch.stack(scores)
    return (torch.softmax(scores, 0) if softmax else scores) @ tokens


def flat_with_behaviours(p, x):
    """[B, (F + 1) D]: the input of models that get the behaviours as one more field, pooled by DIN with the item's fields."""
    out = [torch.cat((f.flatten(), din(p, "behaviours", f[ITEM].mean(0), v))) for f, v in rows(p, x)]
    return torch.stack(out)


def write(case, model, weights, logits, train=False, seed=2, buffers=(), checked=None, sequences=SEQUENCES):
    """A case with three optimiser steps; `logits(p, x, train)` [B], or with what the model adds to the loss. `buffers` are
    weights that are not trained, `checked` is as `write_case`'s for logits."""
    def loss(logits):
        def forward(p, x, train):
            z = logits(p, x, train)
            z, more = z if isinstance(z, tuple) else (z, 0)
            return {"logits": z[:, None], "loss": F.binary_cross_entropy_with_logits(z, x["label.click"]) + more}
        return forward

    trainable = [k for k in weights if ".running_" not in k and k not in buffers]
    flags = "--train-no-dropout --steps 3" if train else "--steps 3"
    write_case(case, flags, config(model, sequences), weights, batch(seed, sequences), loss(logits), trainable, train, 3,
               checked=checked and loss(checked))
