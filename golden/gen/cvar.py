"""CVAR's generator on a frozen DeepFM: golden cases cvar and cvar-train.

e: the net's item embedding (no gradient), s: the module's side embedding, u: the item's count.
mu, lv from e; mu_p, lv_p from s; z = mu + 1e-4 exp(lv/2) xi, z_p likewise; r = D([z; u]), r_p = D([z_p; u]).
loss = BCE(f(r_p, x), y) + mean_b |r - e|^2 + 1e-4 sum_b (|mu - mu_p|^2 + |exp(lv/2) - exp(lv_p/2)|^2)
"""
import torch
import torch.nn.functional as F

import deepfm
from common import B, D, SIDE_TABLES, SIDE_WIDTH, TABLES, apply, config, generator, linear, make_batch, normal, side, \
    write_case

METHOD = ["name: cvar", "frequency: count", "side: listed", "iters: 10", "epochs: 1", "warm_epochs: 2"]


def module_weights(seed):
    g = generator(seed)
    w = {f"module.side.{name}": normal(g, TABLES[name], D) for name in SIDE_TABLES}
    for part, inputs in (("posterior", D), ("prior", SIDE_WIDTH)):
        std = 0.3 if inputs == D else 0.15           # keeps logits, and so their rounding, small
        w |= linear(g, f"module.{part}.mean", inputs, D, std) | linear(g, f"module.{part}.log_var", inputs, D, std)
    return w | linear(g, "module.decode", D + 1, D, 0.2)


def loss(p, x, train):
    e, s, count = p["net.embedding.item_id"][x["ids.item_id"]].detach(), side(p, x), x["real.count"][:, None]
    mean, std, recovered = {}, {}, {}
    for part, given in (("posterior", e), ("prior", s)):
        mean[part] = apply(p, f"module.{part}.mean", given)
        std[part] = torch.exp(apply(p, f"module.{part}.log_var", given) / 2)
        z = mean[part] + 1e-4 * std[part] * x[f"noise.{part}"]
        recovered[part] = apply(p, "module.decode", torch.cat((z, count), 1))
    logits = deepfm.forward(p, x, train, "net.", recovered["prior"])
    ctr = F.binary_cross_entropy_with_logits(logits[:, 0], x["label.click"])
    reconstruction = ((recovered["posterior"] - e) ** 2).sum() / len(e)
    distance = sum(((v["posterior"] - v["prior"]) ** 2).sum() for v in (mean, std))
    return {"logits": logits, "loss": ctr + reconstruction + 1e-4 * distance, "generated": recovered["prior"]}


def main():
    module = module_weights(3)
    weights, batch, g = deepfm.net_weights(4, "net.") | module, make_batch(5), generator(6)
    batch |= {f"noise.{part}": torch.randn(B, D, generator=g) for part in ("posterior", "prior")}
    flags, text = "--module cvar", config(METHOD)
    write_case("cvar", flags, text, weights, batch, loss, list(module))
    write_case("cvar-train", f"--train-no-dropout --steps 3 {flags}", text, weights, batch, loss, list(module), True, 3)


if __name__ == "__main__":
    main()
