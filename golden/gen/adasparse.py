"""AdaSparse: golden cases adasparse (fusion), adasparse-train (fusion, alpha grows), adasparse-scaling and
adasparse-binarisation-train (straight through, with the sparsity regulariser).

h^l <- pi^l * h^l after every hidden layer, u^l = W_l [e_d ; h^l]. Scaling: pi = beta sigmoid(u). Fusion:
v = beta sigmoid(alpha u), pi = v 1[v > epsilon]. Binarisation: v = sigmoid(alpha u), pi = 1[v > epsilon] with the
gradient of v; the regulariser is the mean over rows and layers of weight * const(|r - middle|) * |r - middle| where the
share r of pruned neurons is outside of [low, high].
"""
import torch
import torch.nn.functional as F

from common import apply, cast, generator, linear, normal
from domains import network
from sequences import B, D, batch, din_weights, flat_with_behaviours, weights, write

HIDDEN, DIN, INPUTS = (8, 6), (6, 3), 7 * D
BETA, LOW, HIGH = 2.0, 0.3, 0.6
STEPS = "pruners.steps"


def form(kind, o):
    alpha = f"alpha: {{start: {o['alpha'][0]}, growth: {o['alpha'][1]}}}"
    if kind == "scaling":
        return f"{{scaling: {{beta: {BETA}}}}}"
    if kind == "fusion":
        return f"{{fusion: {{{alpha}, beta: {BETA}, epsilon: {o['epsilon']}}}}}"
    weight = f"weight: {{start: {o['weight'][0]}, growth: {o['weight'][1]}}}"
    return f"{{binarisation: {{{alpha}, epsilon: {o['epsilon']}, sparsity: {{min: {LOW}, max: {HIGH}, {weight}}}}}}}"


def logits_of(kind, o, fixed=None):
    """Constants are kept in `fixed` the first time and taken from there: with them as they are the loss has the
    gradients as its derivative."""
    def constant(key, value):
        return value.detach() if fixed is None else fixed.setdefault(key, value.detach())

    def over(v):
        """v > epsilon, which must not hang on rounding."""
        assert (v - o["epsilon"]).abs().min() > 1e-4
        return (v > o["epsilon"]).to(v)

    def factors(key, u, alpha):
        if kind == "scaling":
            return BETA * torch.sigmoid(u)
        if kind == "fusion":
            v = BETA * torch.sigmoid(alpha * u)
            return v * over(v)
        v = torch.sigmoid(alpha * u)
        return v + constant(key, over(v) - v)

    def logits(p, x, train):
        steps = float(p[STEPS])
        alpha, weight = (start + steps * growth for start, growth in (o["alpha"], o["weight"]))
        out, more, kept = [], 0, []
        for i, h in enumerate(flat_with_behaviours(p, x)):
            domain = p["embedding.domain"][x["ids.domain"][i]]
            for l, width in enumerate(HIDDEN):
                h = apply(p, f"mlp.{l}.linear", h)
                h = F.relu(F.layer_norm(h, h.shape, p[f"mlp.{l}.norm.weight"], p[f"mlp.{l}.norm.bias"]))
                pi = factors((i, l), p[f"pruners.{l}.weight"] @ torch.cat((domain, h)), alpha)
                h = pi * h
                kept.append(float((pi > 1e-6).double().mean()))
                if kind == "binarisation":
                    r = 1 - pi.sum() / width
                    distance = (r - (LOW + HIGH) / 2).abs()
                    if not LOW <= r <= HIGH:
                        more = more + weight * constant((i, l, "r"), distance) * distance / (B * len(HIDDEN))
            out.append(apply(p, "mlp.out", h)[0])
        assert kind == "scaling" or 0.2 < sum(kept) / len(kept) < 0.8, "there is something to see"
        if train:
            p[STEPS] += 1
        return torch.stack(out), more
    return logits


def model_weights(steps):
    g = generator(1)
    w = weights(g) | din_weights(g, "behaviours", DIN) | network(g, "mlp", (INPUTS, *HIDDEN))
    w |= linear(g, "mlp.out", HIDDEN[-1], 1)
    w |= {f"pruners.{l}.weight": normal(g, h, D + h, std=0.8) for l, h in enumerate(HIDDEN)}
    return w | {STEPS: torch.tensor(float(steps), dtype=torch.float64)}


def case(name, kind, train=False, steps=0, **o):
    o = {"alpha": (1.0, 0.0), "weight": (0.0, 0.0)} | o
    lines = ["name: adasparse", f"dim: {D}", f"hidden: {list(HIDDEN)}", f"form: {form(kind, o)}", "norm: layer", "dropout: 0.2",
             "init: torch", f"behaviours: {{tokens: mean, pooling: {{din: {{hidden: {list(DIN)}, softmax: false}}}}}}"]
    w, checked = model_weights(steps), None
    if kind == "binarisation":
        checked = logits_of(kind, o, {})
        checked({k: v.clone() for k, v in w.items()}, cast(batch(2), torch.float64), train)
    write(name, lines, w, logits_of(kind, o), train, buffers=[STEPS], checked=checked)


if __name__ == "__main__":
    case("adasparse", "fusion", steps=5000, alpha=(1.0, 1e-4), epsilon=0.9)
    case("adasparse-train", "fusion", train=True, alpha=(1.2, 0.25), epsilon=0.9)
    case("adasparse-scaling", "scaling")
    case("adasparse-binarisation-train", "binarisation", train=True, alpha=(1.0, 0.25), weight=(2.0, 1.0), epsilon=0.5)
