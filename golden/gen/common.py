"""What the golden cases share: an invented little world, weights, and how a case is computed and written.

Everything is computed in double precision and stored in single, so the reference adds no rounding of its own.
Regenerate with `just golden`. This file does nothing when run.
"""
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

GOLDEN = pathlib.Path(__file__).resolve().parent.parent
B, D, HIDDEN = 24, 16, (16, 16)

# In the order in which models see them: (name, role, table rows or None, length of a summed padded bag or None).
FIELDS = [
    ("item_id", "item", 13, None),
    ("user_id", "user", 11, None),
    ("gender", "user", 2, None),
    ("age", "user", 6, None),
    ("year", "item", 7, None),
    ("title", "item", 17, 5),
    ("genres", "item", 8, 3),
    ("time_stamp", "context", None, None),
    ("count", "item", None, None),
]
TABLES = {name: rows for name, _, rows, _ in FIELDS if rows}
EMBEDDED = list(TABLES)
REALS = [name for name, _, rows, _ in FIELDS if not rows]
BAGS = {name: length for name, _, _, length in FIELDS if length}
SIDE = ["item_id", "year", "title", "genres", "count"]
SIDE_TABLES = [name for name in EMBEDDED if name in SIDE]
SIDE_REALS = [name for name in REALS if name in SIDE]
SIDE_WIDTH = len(SIDE_TABLES) * D + len(SIDE_REALS)
FLAT = len(EMBEDDED) * D
BUFFERS = ("running_mean", "running_var")


def config(method=None, model="deepfm", more=()):
    """The text of config.yaml; `method` is the body of the method's mapping, `more` are settings of the model's own."""
    def kind(rows, length):
        if not rows:
            return "real"
        return f"{{bag: {{sum_padded: {{len: {length}}}}}}}" if length else "id"

    out = ["schema:", "  tables:"]
    out += [f"    - {{name: {name}, rows: {rows}}}" for name, rows in TABLES.items()]
    out += ["  fields:"]
    for name, role, rows, length in FIELDS:
        table = f", table: {name}" if rows else ""
        out.append(f"    - {{name: {name}, role: {role}, kind: {kind(rows, length)}{table}}}")
    out += ["  tasks: [click]", "  scenarios: [all]", "  item_id: item_id", "  user_id: user_id"]
    out += [f"  side: [{', '.join(SIDE)}]", "model:"]
    settings = [f"name: {model}", f"dim: {D}", *more, f"hidden: [{', '.join(map(str, HIDDEN))}]"]
    out += [f"  {line}" for line in settings + ["norm: batch", "dropout: 0.2", "init: {uniform: 0.01}"]]
    if method:
        out += ["method:"] + [f"  {line}" for line in method]
    out += ["optim:", "  name: adam", "  lr: 1.0e-3", "  weight_decay: 1.0e-6"]
    return "\n".join(out) + "\n"


def generator(seed):
    return torch.Generator().manual_seed(seed)


def normal(g, *shape, mean=0.0, std=0.3):
    """Rounded to single precision, as the files hold it."""
    return (mean + std * torch.randn(*shape, generator=g)).float().double()


def make_batch(seed):
    """Features belong to their item; ids repeat, the last row of every table but gender's is never used."""
    g = generator(seed)
    below = lambda n, *shape: torch.randint(0, n, shape, generator=g)
    used = {name: max(rows - 1, 2) for name, rows in TABLES.items()}
    items = used["item_id"]
    of_item = {"year": below(used["year"], items), "count": torch.rand(items, generator=g)}
    for name, length in BAGS.items():
        ids = below(used[name], items, length)
        ids[torch.arange(length) >= 1 + below(length, items)[:, None]] = 0      # padding on the right
        of_item[name] = ids
    item = below(items, B)
    batch = {"ids.item_id": item}
    batch |= {f"ids.{name}": below(used[name], B) for name in ("user_id", "gender", "age")}
    batch["ids.year"] = of_item["year"][item]
    batch |= {f"seq.{name}": of_item[name][item] for name in BAGS}
    batch["real.time_stamp"] = torch.rand(B, generator=g)
    batch["real.count"] = of_item["count"][item]
    batch["scenario"] = torch.zeros(B, dtype=torch.long)
    batch["label.click"] = below(2, B).float()
    return batch


def linear(g, name, inputs, outputs, std=0.3):
    return {f"{name}.weight": normal(g, outputs, inputs, std=std), f"{name}.bias": normal(g, outputs, std=std)}


def table_weights(g):
    return {f"embedding.{name}": normal(g, rows, D) for name, rows in TABLES.items()}


def mlp_weights(g, width):
    """The hidden layers of the model's MLP."""
    w = {}
    for i, hidden in enumerate(HIDDEN):
        w |= linear(g, f"mlp.{i}.linear", width, hidden)
        # Before batch norm a bias has no gradient but rounding; away from zero its decay outweighs that.
        w[f"mlp.{i}.linear.bias"] += w[f"mlp.{i}.linear.bias"].sign()
        w[f"mlp.{i}.norm.weight"], w[f"mlp.{i}.norm.bias"] = normal(g, hidden, mean=1), normal(g, hidden)
        w[f"mlp.{i}.norm.running_mean"] = normal(g, hidden)
        w[f"mlp.{i}.norm.running_var"] = (0.5 + torch.rand(hidden, generator=g)).double()
        width = hidden
    return w


def look_up(p, prefix, name, x):
    """[B, D]: a field's embedding; a bag's is the sum over its places, padding included."""
    table = p[f"{prefix}{name}"]
    return table[x[f"seq.{name}"]].sum(1) if name in BAGS else table[x[f"ids.{name}"]]


def apply(p, name, x):
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def embedded(p, x):
    """The net's embedding [B, D] of every field that has one."""
    return {name: look_up(p, "embedding.", name, x) for name in EMBEDDED}


def real_fields(x):
    """[B, R]"""
    return torch.stack([x[f"real.{name}"] for name in REALS], 1)


def mlp(p, h, train):
    """The hidden layers on `h` [B, inputs]."""
    for i in range(len(HIDDEN)):
        h = apply(p, f"mlp.{i}.linear", h)
        norm = {k: p[f"mlp.{i}.norm.{k}"] for k in ("weight", "bias", *BUFFERS)}
        h = F.relu(F.batch_norm(h, norm["running_mean"], norm["running_var"], norm["weight"], norm["bias"], train))
    return h


def side(p, x):
    """[B, SIDE_WIDTH]: the module's own embeddings of the side fields, then the real side fields."""
    parts = [look_up(p, "module.side.", name, x) for name in SIDE_TABLES]
    return torch.cat(parts + [x[f"real.{name}"][:, None] for name in SIDE_REALS], 1)


def cast(tensors, dtype):
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()}


def evaluate(parts, weights, batch, train, steps, dtype):
    """Outputs and gradients of a forward pass, and what `steps` Adam steps on this batch make of the weights.

    `parts` are (forward, names of what it trains): losses with an optimiser each, which take turns. `forward(p, x, train)`
    returns logits, loss and perhaps generated; it updates running statistics in place. Outputs of a part before the last
    are called `<name>.first`.
    """
    x = cast(batch, dtype)

    def leaves():
        p = {k: v.clone() for k, v in cast(weights, dtype).items()}
        return p | {n: p[n].requires_grad_(True) for _, names in parts for n in names}

    def differentiate(p, forward):
        for v in p.values():
            v.grad = None
        result = forward(p, x, train)
        result["loss"].backward()
        return result

    p, out = leaves(), {}
    for number, (forward, names) in enumerate(parts, 1):
        last = number == len(parts)
        out |= {k if last else f"{k}.first": v.detach().clone() for k, v in differentiate(p, forward).items()}
        out |= {f"grad.{n}": p[n].grad.clone() for n in names if p[n].grad is not None}
        assert all(p[n].grad is None for _, others in parts for n in others if n not in names)
    if steps:
        p = leaves()
        adam = dict(lr=1e-3, weight_decay=1e-6, foreach=False, fused=False)
        optimisers = [torch.optim.Adam([p[n] for n in names], **adam) for _, names in parts]
        for _ in range(steps):
            for (forward, _), optimiser in zip(parts, optimisers):
                differentiate(p, forward)
                optimiser.step()
        out |= {f"after.{k}": v.detach() for k, v in p.items()
                if not k.startswith("net.") or ".running_" in k}
    return out


class Stop:
    """Stops gradients: what it gives back is a constant. While gradients are checked it gives back what it gave in the check's
    first pass, so that differences do not see through it either."""
    constants = again = None

    def __call__(self, v):
        if self.again is not None:
            return next(self.again)
        if self.constants is not None:
            self.constants.append(v.detach())
        return v.detach()


stop = Stop()


def check_gradients(forward, weights, batch, out, trainable, train):
    """Central differences along a random direction in each parameter."""
    g, h, x = generator(99), 1e-6, cast(batch, torch.float64)
    stop.constants = []
    forward({k: v.clone() for k, v in weights.items()}, x, train)
    for name in trainable:
        u = torch.randn(weights[name].shape, generator=g, dtype=torch.float64)

        def at(s):
            stop.again = iter(stop.constants)
            return forward({k: v.clone() + (s * u if k == name else 0) for k, v in weights.items()}, x, train)["loss"].detach()

        numeric, exact = float(at(h) - at(-h)) / (2 * h), float((out[f"grad.{name}"] * u).sum())
        assert abs(numeric - exact) < 1e-6 * (1 + abs(exact)), (name, numeric, exact)
    stop.constants = stop.again = None


def write_case(case, flags, text, weights, batch, forward, trainable, train=False, steps=0, first=None, checked=None):
    """`first` is a (forward, trainable) whose steps come before each step of the others. `checked` is what has the gradients
    as its derivative where `forward` has not: where it treats as constant what is none."""
    weights = cast(weights, torch.float64)
    parts = ([first] if first else []) + [(forward, trainable)]
    arguments = (parts, weights, batch, train, steps)
    out, single = evaluate(*arguments, torch.float64), evaluate(*arguments, torch.float32)
    for loss, names in parts:
        check_gradients(checked or loss, weights, batch, out, [n for n in names if f"grad.{n}" in out], train)
    assert out.keys() == single.keys()
    worst, name = max((float((out[k] - single[k]).abs().max() / (1 + out[k].abs().max())), k) for k in out)
    assert worst < 3e-6, (case, name, worst)     # well conditioned: single precision reproduces it

    folder = GOLDEN / case
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(text)
    (folder / "args").write_text(flags + "\n")
    for file, tensors in (("weights", weights), ("batch", batch), ("expected", out)):
        tensors = {k: v.contiguous() for k, v in cast(tensors, torch.float32).items()}
        save_file(tensors, folder / f"{file}.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    assert size < 150_000, size
    print(f"{case}: loss {float(out['loss']):.6f}, {len(out)} tensors, {size} bytes, "
          f"single precision differs by {worst:.1e} ({name})")


def write_model(name, net_weights, logits, more=(), seed=1):
    """Cases `name` and `name`-train of a model: `logits(p, x, train)` [B, 1]; `seed` draws weights under which rounding
    stays small."""
    def forward(p, x, train):
        z = logits(p, x, train)
        return {"logits": z, "loss": F.binary_cross_entropy_with_logits(z[:, 0], x["label.click"])}

    weights, batch, text = net_weights(seed), make_batch(2), config(model=name, more=more)
    trainable = [k for k in weights if not k.endswith(BUFFERS)]
    case = name.replace("_", "-")
    write_case(case, "", text, weights, batch, forward, trainable)
    write_case(f"{case}-train", "--train-no-dropout --steps 3", text, weights, batch, forward, trainable, True, 3)
