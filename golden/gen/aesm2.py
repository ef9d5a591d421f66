"""AESM2 for one task: golden cases aesm2 (two levels), aesm2-shared (one level, one tower for all scenarios) and
aesm2-train (two levels with batch norm).

G = gates([h ; s]); p_j = softmax over scenarios of G[:, j]. A row of scenario m takes the experts with the least
KL(onehot(m), p_j) and those with the least KL(uniform, p_j), weighted by the softmax over them of G[m]. There is no
noise.
"""
import torch

from common import apply, generator, linear
from domains import affine, layer, network, run, run_copy, run_stacked, stacked, tower, tower_of_all, towers
from sequences import B, D, SCENARIOS, din_weights, flat_with_behaviours, weights, write

EXPERTS, EXPERT, TOWER, DIN, INPUTS = 4, (6,), (5,), (6, 3), 7 * D
SPECIFIC_KL, SHARED_KL = 0.3, 0.2       # large enough to be seen


def smallest(divergences, count):
    """The numbers of the `count` smallest; the choice must not hang on rounding."""
    order = sorted(range(EXPERTS), key=lambda j: float(divergences[j].detach()))
    gap = divergences[order[count]] - divergences[order[count - 1]]
    assert gap > 1e-4, float(gap)
    return order[:count]


def divergence(q, p):
    return sum(a * torch.log(a / b) for a, b in zip(q, p) if a > 0)


def selected(gates, m, specific, shared):
    """Weights [E] of a row's experts from its gates [M, E], and its divergences."""
    onehot, uniform = torch.eye(SCENARIOS)[m].to(gates), torch.full((SCENARIOS,), 1 / SCENARIOS).to(gates)
    p = [torch.softmax(gates[:, j], 0) for j in range(EXPERTS)]
    own, common = ([divergence(q, p[j]) for j in range(EXPERTS)] for q in (onehot, uniform))
    first, second = smallest(own, specific), smallest(common, shared)
    used = sorted(set(first) | set(second))
    w = torch.zeros(EXPERTS).to(gates)
    w[used] = torch.softmax(gates[m][used], 0)
    return w, sum(own[j] for j in first) / specific, sum(common[j] for j in second) / shared


def logits_of(levels, specific, shared, per_scenario, batch):
    def logits(p, x, train):
        scenario = x["scenario"].tolist()
        embedding = p["embedding.domain"][x["ids.domain"]]
        h, more = list(flat_with_behaviours(p, x)), 0
        for l in range(levels):
            name = f"levels.{l}"
            if batch:
                columns = [run_copy(p, f"{name}.experts", j, torch.stack(h), train) for j in range(EXPERTS)]
                experts = [[column[i] for column in columns] for i in range(B)]
            else:
                experts = [[run_stacked(p, f"{name}.experts", j, row) for j in range(EXPERTS)] for row in h]
            out = []
            for i, m in enumerate(scenario):
                seen = torch.cat((h[i], embedding[i]))
                gates = torch.stack([affine(p, f"{name}.gates", k, seen) for k in range(SCENARIOS)])
                w, own, common = selected(gates, m, specific, shared)
                more = more + (SPECIFIC_KL * own + SHARED_KL * common) / B
                out.append(sum(w[j] * experts[i][j] for j in range(EXPERTS)))
            h = out
        if batch:
            heads = [tower_of_all(p, m, torch.stack(h), train) for m in range(SCENARIOS)]
            return torch.stack([heads[m][i] for i, m in enumerate(scenario)]), more
        one = (lambda m, u: tower(p, m, u)) if per_scenario else (lambda m, u: apply(p, "tower.out", run(p, "tower", u))[0])
        return torch.stack([one(m, u) for m, u in zip(scenario, h)]), more
    return logits


def model_weights(levels, per_scenario, batch, seed):
    g = generator(seed)
    w, width = weights(g) | din_weights(g, "behaviours", DIN), INPUTS
    for l in range(levels):
        w |= stacked(g, f"levels.{l}.experts", EXPERTS, (width, *EXPERT), batch=batch)
        w |= layer(g, f"levels.{l}.gates", SCENARIOS, width + D, EXPERTS)
        width = EXPERT[-1]
    if per_scenario:
        return w | towers(g, width, SCENARIOS, batch)
    return w | network(g, "tower", (width, *TOWER)) | linear(g, "tower.out", TOWER[-1], 1)


def case(name, levels=2, specific=1, shared=1, per_scenario=True, batch=False, train=False, seed=1):
    lines = ["name: aesm2", f"dim: {D}", f"levels: {levels}", f"experts: {EXPERTS}", f"specific_experts: {specific}",
             f"shared_experts: {shared}", f"expert: {list(EXPERT)}", f"towers: {'per_scenario' if per_scenario else 'shared'}",
             f"tower: {list(TOWER)}", "noise_scale: 0.0", f"specific_kl: {SPECIFIC_KL}", f"shared_kl: {SHARED_KL}",
             f"norm: {'batch' if batch else 'layer'}", "dropout: 0.2", "init: torch",
             f"behaviours: {{tokens: mean, pooling: {{din: {{hidden: {list(DIN)}, softmax: false}}}}}}"]
    logits = logits_of(levels, specific, shared, per_scenario, batch)
    write(name, lines, model_weights(levels, per_scenario, batch, seed), logits, train)


if __name__ == "__main__":
    case("aesm2")
    case("aesm2-shared", levels=1, specific=2, shared=2, per_scenario=False)
    case("aesm2-train", batch=True, train=True)
