"""M3oE: golden cases m3oe, m3oe-concat and m3oe-gate.

h = relu(LN(W_c f + b_c)) + relu(LN(W_a z + b_a)), f = z (W_d * W_sh) + b_d + b_sh; S mixes the shared experts by a gate on h
(its gradient is not stopped here, for finite differences know nothing of that), the domain and task modules weigh the own
expert with beta; towers see S + alpha_d D + alpha_t T.
"""
import torch
import torch.nn.functional as F

from common import apply, generator, linear, normal
from domains import D, DOMAINS, HEADS, TASKS, TOWER, World, gated, row_by_row, run_stacked, stacked, tower, towers

WORLD, STAR, HIDDEN, EXPERT, SHARED = World(), 9, 8, 6, 2


def net_weights(g, inputs, gates):
    w = WORLD.weights(g)
    w |= {"representation.star.own": normal(g, DOMAINS, WORLD.width, STAR), "representation.star.shared": normal(g, WORLD.width, STAR)}
    w |= {"representation.star.own_bias": normal(g, DOMAINS, STAR), "representation.star.shared_bias": normal(g, STAR)}
    for name, width in (("specific", STAR), ("agnostic", WORLD.width)):
        w |= linear(g, f"representation.{name}.linear", width, HIDDEN)
        w |= {f"representation.{name}.norm.weight": normal(g, HIDDEN, mean=1), f"representation.{name}.norm.bias": normal(g, HIDDEN)}
    w |= stacked(g, "experts", SHARED + DOMAINS + TASKS, (HIDDEN, EXPERT))
    w |= {"gate.weight": normal(g, DOMAINS, HIDDEN, TASKS * gates), "gate.bias": normal(g, DOMAINS, TASKS * gates)}
    return w | towers(g, inputs)


def fusion(g, *names):
    return {f"fusion.{name}": normal(g, 1, mean=0.5) for name in names}


def block(p, name, x):
    y = apply(p, f"{name}.linear", x)
    return F.relu(F.layer_norm(y, y.shape, p[f"{name}.norm.weight"], p[f"{name}.norm.bias"]))


def modules(p, z, d):
    """Shared experts, D, and T for every task; the gate's logits for every task."""
    own = p["representation.star.own"][d] * p["representation.star.shared"]
    f = z @ own + p["representation.star.own_bias"][d] + p["representation.star.shared_bias"]
    h = block(p, "representation.specific", f) + block(p, "representation.agnostic", z)
    e = [run_stacked(p, "experts", i, h) for i in range(SHARED + DOMAINS + TASKS)]
    weigh = lambda beta, own, experts: beta * experts[own] + (1 - beta) / (len(experts) - 1) * sum(
        x for i, x in enumerate(experts) if i != own)
    beta = {k: torch.sigmoid(p[f"fusion.beta_{k}"]) for k in "dt"}
    domain = weigh(beta["d"], d, e[SHARED:SHARED + DOMAINS])
    task = [weigh(beta["t"], t, e[SHARED + DOMAINS:]) for t in range(TASKS)]
    gates = (h @ p["gate.weight"][d] + p["gate.bias"][d]).chunk(TASKS)
    return e[:SHARED], domain, task, gates


def alphas(p):
    return torch.sigmoid(p["fusion.alpha_d"]), torch.sigmoid(p["fusion.alpha_t"])


def summed(p, z, d):
    shared, domain, task, gates = modules(p, z, d)
    a_d, a_t = alphas(p)
    return [tower(p, d * TASKS + t, gated(gates[t], shared) + a_d * domain + a_t * task[t]) for t in range(TASKS)]


def concatenated(p, z, d):
    shared, domain, task, gates = modules(p, z, d)
    a_d, a_t = alphas(p)
    return [tower(p, d * TASKS + t, torch.cat((gated(gates[t], shared), a_d * domain, a_t * task[t]))) for t in range(TASKS)]


def fully_gated(p, z, d):
    shared, domain, task, gates = modules(p, z, d)
    return [tower(p, d * TASKS + t, gated(gates[t], [*shared, domain, task[t]])) for t in range(TASKS)]


def write(case, name, row, inputs, gates, weights):
    model = ["name: m3oe", f"dim: {D}", f"star: {STAR}", f"hidden: {HIDDEN}", f"expert: {EXPERT}",
             f"shared_experts: {SHARED}", f"tower: [{TOWER}]", "tower_norm: layer", "plain_eq2: false",
             "gate_gradient: true", f"fusion: {name}", "use_domain: true", "use_task: true", "fusion_initial: 1.0",
             "fusion_scope: global", "init: torch"]
    g = generator(1)
    WORLD.write(case, model, net_weights(g, inputs, gates) | fusion(g, *weights), row_by_row(WORLD, row))


if __name__ == "__main__":
    alpha, beta = ("alpha_d", "alpha_t"), ("beta_d", "beta_t")
    write("m3oe", "sum", summed, EXPERT, SHARED, alpha + beta)
    write("m3oe-concat", "concat", concatenated, 3 * EXPERT, SHARED, alpha + beta)
    write("m3oe-gate", "gate", fully_gated, EXPERT, SHARED + 2, beta)
