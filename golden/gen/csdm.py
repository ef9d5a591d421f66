"""CSDM's generator on a frozen DeepFM: golden cases csdm-*. Equation numbers are the paper's.

h = W_h s, z_0 = W_z e (e: the net's item embedding, no gradient), w = W_d [sample(h); count].
loss = BCE(f(w, x), y) + rho mean (eps(z_t, t) - noise)^2, z_t by Eq. 13. All dropout is off in these cases.
"""
import math

import torch
import torch.nn.functional as F

import deepfm
from common import B, D, SIDE_TABLES, SIDE_WIDTH, TABLES, apply, config, generator, linear, make_batch, normal, side, \
    write_case

T, BETA, RHO = 100, 1e-5, 1.0


def schedule(coefficient):
    """alpha_t and the coefficient k_t of h for t = 0..T (Eqs. 11, 12): k_t = c_t or its root."""
    alpha = [(1 - BETA) ** t for t in range(T + 1)]
    total = lambda t: sum(math.sqrt(alpha[t] / alpha[k]) for k in range(1, t + 1))
    c = [total(t) / total(T) for t in range(T + 1)]
    return alpha, [math.sqrt(v) if coefficient == "sqrt_c" else v for v in c]


def sample(epsilon, h, coefficient, stride):
    """The reverse pass (Eqs. 8, 10; sigma = 0) from h over the indices stride * n < T; index i is t = i + 1."""
    alpha, k = schedule(coefficient)
    visited = list(range(0, T, stride))
    z = h
    for n in range(len(visited) - 1, -1, -1):
        t, to = visited[n] + 1, visited[n - 1] + 1 if n else 0
        noise = epsilon(z, visited[n])
        z0 = (z - k[t] * h - math.sqrt(1 - alpha[t]) * noise) / math.sqrt(alpha[t])
        z = math.sqrt(alpha[to]) * z0 + math.sqrt(1 - alpha[to]) * noise + k[to] * h
    return z


def denoise(p, z, index):
    """eps(z, t): [cos, sin] of 16 frequencies -> Linear; [z; that] -> Linear, tanh, Linear, tanh, Linear, tanh, Linear."""
    index = torch.as_tensor(index).expand(len(z))
    angle = torch.stack([index.to(z.dtype) * 10000 ** (-i / 16) for i in range(16)], 1)
    time = apply(p, "module.denoiser.time", torch.cat((torch.cos(angle), torch.sin(angle)), 1))
    v = apply(p, "module.denoiser.0", torch.cat((z, time), 1))
    for layer in (1, 2, 3):
        v = apply(p, f"module.denoiser.{layer}", torch.tanh(v))
    return v


def module_weights(seed):
    g = generator(seed)
    w = {f"module.side.{name}": normal(g, TABLES[name], D) for name in SIDE_TABLES}
    w |= linear(g, "module.encode_side", SIDE_WIDTH, D) | linear(g, "module.encode_item", D, D)
    w |= linear(g, "module.decode", D + 1, D) | linear(g, "module.denoiser.time", 32, 32)
    for layer, inputs in enumerate((48, D, D, D)):
        w |= linear(g, f"module.denoiser.{layer}", inputs, D)
    return w


def loss_with(coefficient, stride):
    def loss(p, x, train):
        h = apply(p, "module.encode_side", side(p, x))
        generated = sample(lambda z, i: denoise(p, z, i), h, coefficient, stride)
        w = apply(p, "module.decode", torch.cat((generated, x["real.count"][:, None]), 1))
        logits = deepfm.forward(p, x, train, "net.", w)

        z0 = apply(p, "module.encode_item", p["net.embedding.item_id"][x["ids.item_id"]].detach())
        alpha, k = (torch.tensor(v, dtype=torch.float64)[x["t"] + 1, None] for v in schedule(coefficient))
        a, b, k = (v.to(h.dtype) for v in (alpha.sqrt(), (1 - alpha).sqrt(), k))
        error = denoise(p, a * z0 + k * h + b * x["noise"], x["t"]) - x["noise"]
        ctr = F.binary_cross_entropy_with_logits(logits[:, 0], x["label.click"])
        return {"logits": logits, "loss": ctr + RHO * (error ** 2).mean(), "generated": w}
    return loss


def case(name, coefficient, stride, train_denoiser=True, train=False, steps=0):
    yes = lambda b: "true" if b else "false"
    method = ["name: csdm", f"coefficient: {coefficient}", "diffusion: true", f"timesteps: {T}", "beta: 1.0e-5", f"stride: {stride}",
              f"rho: {RHO}", f"train_denoiser: {yes(train_denoiser)}", "denoiser_dropout: 0.5", "side_dropout: 0.5",
              "dropout_at_generation: false", "side: listed", "frequency: count", "iters: 10", "epochs: 1",
              "warm_epochs: 2", "keep_finetuned: false"]
    module = module_weights(7)
    weights, batch, g = deepfm.net_weights(8, "net.") | module, make_batch(9), generator(10)
    batch["t"] = torch.randint(0, T, (B,), generator=g)
    batch["t"][:2] = torch.tensor([0, T - 1])
    batch["noise"] = torch.randn(B, D, generator=g)
    trainable = [n for n in module if train_denoiser or not n.startswith("module.denoiser.")]
    flags = f"--train-no-dropout --steps {steps} --module csdm" if train else "--module csdm"
    write_case(name, flags, config(method), weights, batch, loss_with(coefficient, stride), trainable, train, steps)


def main():
    case("csdm-paper", "sqrt_c", 10)
    case("csdm-paper-s5", "sqrt_c", 5)
    case("csdm-released", "c", 10, train_denoiser=False)
    case("csdm-train", "sqrt_c", 10, train=True, steps=3)


if __name__ == "__main__":
    main()
