"""SFPNet: golden cases sfpnet (two blocks), sfpnet-two-gates (gated residual input, a gate for each statistic), sfpnet-no-rtm,
sfpnet-no-sam (plain mean pooling) and sfpnet-plain (no block, a plain network)."""
import torch
import torch.nn.functional as F

from common import apply, generator, linear, normal
from sequences import D, FIELDS, ITEM, din, din_weights, rows, weights, write

N, GATE, CONTEXT, HIDDEN, DIN = len(FIELDS) - 1, 9, 8, (7, 5), (6, 3)
DEFAULT = dict(blocks=2, dap=True, sam=True, rtm=True, gated_input=False, two_gates=False, sdnn=True)


def gate_weights(g, name, width, hidden):
    w = linear(g, f"{name}.in", width + D, hidden)
    w |= {f"{name}.norm.weight": normal(g, hidden, mean=1), f"{name}.norm.bias": normal(g, hidden)}
    return w | linear(g, f"{name}.out", hidden, width)


def gate(p, name, z, s):
    h = F.relu(apply(p, f"{name}.in", torch.cat((z, s))))
    h = F.layer_norm(h, h.shape, p[f"{name}.norm.weight"], p[f"{name}.norm.bias"])
    return z * torch.sigmoid(apply(p, f"{name}.out", h))


def model_weights(o):
    g = generator(1)
    w = weights(g)
    statistics = 2 if o["dap"] else 1
    width = (N + statistics) * D
    for l in range(o["blocks"]):
        if o["sam"]:
            w |= gate_weights(g, f"blocks.{l}.gate", width, GATE)
        if o["rtm"]:
            w |= linear(g, f"blocks.{l}.context.0", width, CONTEXT) | linear(g, f"blocks.{l}.context.1", CONTEXT, width)
            w[f"blocks.{l}.fields.weight"] = normal(g, N, D, 2 * D)
            w[f"blocks.{l}.fields.bias"] = normal(g, N, 2 * D)
            w |= linear(g, f"blocks.{l}.behaviours", D, (1 + (statistics if o["two_gates"] else 1)) * D)
    w |= din_weights(g, "attention", DIN)
    width = (N + 1) * D
    for j, hidden in enumerate(HIDDEN):
        if o["sdnn"]:
            w |= gate_weights(g, f"dnn.{j}.gate", width, hidden)
        w |= linear(g, f"dnn.{j}.linear", width, hidden)
        width = hidden
    return w | linear(g, "dnn.out", width, 1)


def pooled(v, dap):
    if not len(v):
        mean, variance = v.new_zeros(D), v.new_zeros(D)
    else:
        mean = v.mean(0)
        variance = ((v - mean) ** 2).mean(0)
    return torch.cat((mean, torch.sqrt(variance + 1e-8))) if dap else mean


def block(p, name, x, v, s, o):
    z = torch.cat((x.flatten(), pooled(v, o["dap"])))
    gated = gate(p, f"{name}.gate", z, s) if o["sam"] else z
    own = gated[:N * D].view(N, D)
    if not o["rtm"]:
        return own, v
    c = apply(p, f"{name}.context.1", F.relu(apply(p, f"{name}.context.0", gated))).view(-1, D)
    out = []
    for i, field in enumerate(own if o["gated_input"] else x):
        h = field @ p[f"{name}.fields.weight"][i] + p[f"{name}.fields.bias"][i]
        out.append(F.relu(h[:D]) + torch.sigmoid(h[D:]) * c[i])
    tokens = []
    for token in v:
        h = apply(p, f"{name}.behaviours", token)
        gates = torch.sigmoid(h[D:])
        if o["two_gates"]:
            added = (gates.view(-1, D) * c[N:]).sum(0)
        else:
            added = gates * c[N:].sum(0)
        tokens.append(F.relu(h[:D]) + added)
    return torch.stack(out), torch.stack(tokens) if tokens else v


def logits_of(o):
    def logits(p, x, train):
        out = []
        for fields, v in rows(p, x):
            s, f = fields[N], fields[:N]
            for l in range(o["blocks"]):
                f, v = block(p, f"blocks.{l}", f, v, s, o)
            h = torch.cat((f.flatten(), din(p, "attention", f[ITEM].mean(0), v)))
            for j in range(len(HIDDEN)):
                h = gate(p, f"dnn.{j}.gate", h, s) if o["sdnn"] else h
                h = F.relu(apply(p, f"dnn.{j}.linear", h))
            out.append(apply(p, "dnn.out", h)[0])
        return torch.stack(out)
    return logits


def case(name, **changes):
    o = DEFAULT | changes
    flag = lambda value: "true" if value else "false"
    lines = ["name: sfpnet", f"dim: {D}", "tokens: mean", f"blocks: {o['blocks']}", f"distribution_aware: {flag(o['dap'])}",
             f"scenario_adaptive: {flag(o['sam'])}", f"residual_tailoring: {flag(o['rtm'])}",
             f"residual_input: {'gated_input' if o['gated_input'] else 'block_input'}",
             f"context_fold: {'two_gates' if o['two_gates'] else 'sum'}", f"gate: {GATE}", f"context: {CONTEXT}",
             f"attention: {{hidden: {list(DIN)}, softmax: false}}", f"hidden: {list(HIDDEN)}",
             f"scenario_dnn: {flag(o['sdnn'])}", "init: torch"]
    write(name, lines, model_weights(o), logits_of(o))


if __name__ == "__main__":
    case("sfpnet")
    case("sfpnet-two-gates", blocks=1, gated_input=True, two_gates=True)
    case("sfpnet-no-rtm", rtm=False)
    case("sfpnet-no-sam", sam=False, dap=False)
    case("sfpnet-plain", blocks=0, sdnn=False)
