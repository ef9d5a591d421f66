"""VELF (as reconstructed, see docs/methods.md) on a frozen DeepFM: golden cases velf and velf-train.

Posterior N(m, exp v) from two tables over the item id; prior N(m_p, exp v_p), two small networks on the module's own
embeddings of the item's features. z = m + exp(v / 2) noise.
loss = BCE(f(z, x), y) + a mean_b KL(posterior | prior) + b mean_b KL(prior | N(0, 1))
"""
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

import deepfm
from common import B, SIDE_REALS, SIDE_TABLES, TABLES, D, config, generator, look_up, make_batch, normal, write_case
from meta_e import two_layers, two_layers_weights

A, B_WEIGHT = 0.02, 0.05
METHOD = ["name: velf", "side: features_only", f"posterior_kl: {A}", f"prior_kl: {B_WEIGHT}", "n0: 20",
          "initial_std: 0.01", "new_items: table", "warm_prior: false"]
FEATURES = [name for name in SIDE_TABLES if name != "item_id"]


def loss(p, x, train):
    s = torch.cat([look_up(p, "module.side.", name, x) for name in FEATURES]
                  + [x[f"real.{name}"][:, None] for name in SIDE_REALS], 1)
    m, v = (p[f"module.posterior.{name}"][x["ids.item_id"]] for name in ("mean", "log_var"))
    m_p, v_p = (two_layers(p, f"module.prior.{name}", s) for name in ("mean", "log_var"))
    z = m + torch.exp(v / 2) * x["noise"]
    logits = deepfm.forward(p, x, train, "net.", z)
    posterior, prior = Normal(m, torch.exp(v / 2)), Normal(m_p, torch.exp(v_p / 2))
    standard = Normal(torch.zeros_like(m), torch.ones_like(m))
    total = F.binary_cross_entropy_with_logits(logits[:, 0], x["label.click"])
    for weight, (q, r) in ((A, (posterior, prior)), (B_WEIGHT, (prior, standard))):
        total = total + weight * kl_divergence(q, r).sum(1).mean()
    return {"logits": logits, "loss": total, "generated": z}


def main():
    g = generator(51)
    module = {f"module.side.{name}": normal(g, TABLES[name], D) for name in FEATURES}
    module["module.posterior.mean"] = normal(g, TABLES["item_id"], D)
    module["module.posterior.log_var"] = normal(g, TABLES["item_id"], D, mean=-1)
    width = len(FEATURES) * D + len(SIDE_REALS)
    for part in ("mean", "log_var"):
        module |= two_layers_weights(g, f"module.prior.{part}", width, 0.2)
    weights, batch = deepfm.net_weights(52, "net.") | module, make_batch(53)
    batch["noise"] = torch.randn(B, D, generator=g)
    arguments = (config(METHOD), weights, batch, loss, list(module))
    write_case("velf", "--module velf", *arguments)
    write_case("velf-train", "--train-no-dropout --steps 3 --module velf", *arguments, True, 3)


if __name__ == "__main__":
    main()
