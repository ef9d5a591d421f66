"""AdaTT and AdaTT-sp: golden cases adatt (two levels, two native experts, a shared unit) and adatt-sp (one level, one
native expert, no shared unit).

Unit u: h_u^l = sum over all experts E_i^l, weights softmax(W_u^l h_u^{l-1} + b_u^l), + sum over its own of v_{u,j} E_{u,j}.
"""
from common import generator, normal
from domains import (D, EXPERT, HEADS, TASKS, TOWER, WIDTH, World, affine, gated, layer, row_by_row, run_stacked,
                     stacked, tower, towers)

WORLD = World()


def row_of(levels, native, shared):
    counts = [native] * HEADS + ([shared] if shared else [])
    owner = [u for u, n in enumerate(counts) for _ in range(n)]

    def row(p, z, d):
        h = [z] * len(counts)
        for level in range(levels):
            name = f"levels.{level}"
            experts = [run_stacked(p, f"{name}.experts", i, h[u]) for i, u in enumerate(owner)]
            out = []
            for u in range(len(counts) if level + 1 < levels else HEADS):
                own = [e for e, unit in zip(experts, owner) if unit == u]
                if f"{name}.native" not in p:
                    v = [1]
                elif u < HEADS:
                    v = p[f"{name}.native"][u]
                else:
                    v = p[f"{name}.shared_native"][0]
                native_sum = sum(v_j * e for v_j, e in zip(v, own, strict=True))
                out.append(gated(affine(p, f"{name}.gates", u, h[u]), experts) + native_sum)
            h = out
        return [tower(p, k, h[k]) for k in range(d * TASKS, (d + 1) * TASKS)]
    return row


def write(case, levels, native, shared):
    g = generator(1)
    weights, width, experts = WORLD.weights(g) | towers(g), WORLD.width, HEADS * native + shared
    for level in range(levels):
        name, last = f"levels.{level}", level + 1 == levels
        weights |= stacked(g, f"{name}.experts", experts, (width, *EXPERT), norm=False)
        weights |= layer(g, f"{name}.gates", HEADS + (shared > 0 and not last), width, experts)
        if native > 1 or shared > 1:
            weights[f"{name}.native"] = normal(g, HEADS, native)
            if shared and not last:
                weights[f"{name}.shared_native"] = normal(g, 1, shared)
        width = WIDTH
    model = ["name: adatt", f"dim: {D}", f"levels: {levels}", f"native_experts: {native}", f"shared_experts: {shared}",
             f"expert: {list(EXPERT)}", f"tower: [{TOWER}]", "norm: layer", "dropout: 0.2", "init: torch"]
    WORLD.write(case, model, weights, row_by_row(WORLD, row_of(levels, native, shared)))


if __name__ == "__main__":
    write("adatt", 2, 2, 1)
    write("adatt-sp", 1, 1, 0)
