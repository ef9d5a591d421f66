"""Diff-MSR's generative baselines: golden cases vae, gan, softmax-gan, wgan and wgan-gp.

Rows x [B, N] and latent vectors [B, Z] are given. Networks are Linear layers with ReLU between them (encoder, decoder,
generator) or LeakyReLU (critic). Compared by crates/baselines/tests/generators_golden.rs: losses, and the gradients of the
critic's loss by the critic's weights and of the generator's by the generator's.
"""
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from common import GOLDEN, apply, cast, generator, linear, normal

B, C, D, Z, HIDDEN, SLOPE = 7, 2, 4, 3, (6, 5), 0.2
N = C * D
PENALTY, CLIP = 10.0, 0.01


def network_weights(g, name, inputs, outputs):
    widths = (inputs, *HIDDEN)
    w = {}
    for i, (a, b) in enumerate(zip(widths, HIDDEN)):
        w |= linear(g, f"{name}.{i}.linear", a, b, 0.6)
    return w | linear(g, f"{name}.out", HIDDEN[-1], outputs, 0.6)


def network(p, name, x, activation=F.relu):
    for i in range(len(HIDDEN)):
        x = activation(apply(p, f"{name}.{i}.linear", x))
    return apply(p, f"{name}.out", x)


def critic(p, rows):
    return network(p, "critic", rows, lambda x: F.leaky_relu(x, SLOPE))[:, 0]


def generated(p, latent):
    return network(p, "generator", latent)


def gan(p, x):
    """-E log D(x) - E log(1 - D(G(z))), and -E log D(G(z))."""
    real = torch.sigmoid(critic(p, x["real"]))
    fake = torch.sigmoid(critic(p, generated(p, x["latent.critic"]).detach()))
    judged = torch.sigmoid(critic(p, generated(p, x["latent.generator"])))
    return -real.log().mean() - (1 - fake).log().mean(), -judged.log().mean()


def softmax_gan(p, x):
    """Cross-entropies with exp(-mu) / Z over real and generated rows together."""
    def loss(fake, target_of_fake):
        mu = torch.cat((critic(p, x["real"]), critic(p, fake)))
        share = torch.exp(-mu) / torch.exp(-mu).sum()
        target = torch.cat((torch.ones(B), torch.full((B,), target_of_fake))).to(mu)
        return -(target / target.sum() * share.log()).sum()

    return loss(generated(p, x["latent.critic"]).detach(), 0.0), loss(generated(p, x["latent.generator"]), 1.0)


def wgan(p, x):
    """E f(G(z)) - E f(x), and -E f(G(z))."""
    fake = generated(p, x["latent.critic"]).detach()
    return critic(p, fake).mean() - critic(p, x["real"]).mean(), -critic(p, generated(p, x["latent.generator"])).mean()


def wgan_gp(p, x):
    """WGAN's, the critic's with 10 E (|grad f(u x + (1 - u) G(z))| - 1)^2, the gradient row by row."""
    of_critic, of_generator = wgan(p, x)
    fake = generated(p, x["latent.critic"]).detach()
    penalty = 0
    for row, other, u in zip(x["real"], fake, x["mix"][:, 0]):
        between = (u * row + (1 - u) * other).requires_grad_(True)
        slope, = torch.autograd.grad(critic(p, between[None])[0], between, create_graph=True)
        penalty = penalty + ((slope * slope).sum().sqrt() - 1) ** 2 / B
    return of_critic + PENALTY * penalty, of_generator


def vae(p, x):
    """mean_b (|x - dec(z)|^2 + KL(N(mu, s^2) || N(0, 1))), the divergence by torch.distributions."""
    mean, log_var = network(p, "encoder", x["real"]).split(Z, 1)
    std = torch.exp(log_var / 2)
    decoded = network(p, "decoder", mean + std * x["noise"])
    own, prior = torch.distributions.Normal(mean, std), torch.distributions.Normal(0.0, 1.0)
    kl = torch.distributions.kl_divergence(own, prior).sum(1)
    return (((x["real"] - decoded) ** 2).sum(1) + kl).mean(),


# By name: (losses, which parts each trains, more inputs, the optimiser, more settings, steps of the critic).
ADAM = "{name: adam, lr: 2.0e-4, beta1: 0.5}"
CASES = {
    "vae": (vae, [("encoder", "decoder")], ["noise"], "{name: adam, lr: 1.0e-3}", [], None),
    "gan": (gan, None, [], ADAM, [], 1),
    "softmax-gan": (softmax_gan, None, [], ADAM, [], 1),
    "wgan": (wgan, None, [], "{name: rmsprop, lr: 5.0e-5}", [f"clip: {CLIP}"], 5),
    "wgan-gp": (wgan_gp, None, ["mix"], "{name: adam, lr: 1.0e-4, beta1: 0.0, beta2: 0.9}", [f"penalty: {PENALTY}"], 5),
}


def config(name, optim, more, steps):
    out = [f"name: {name}", f"networks: {{latent: {Z}, hidden: [{', '.join(map(str, HIDDEN))}]}}"]
    out += [f"critic: {{slope: {SLOPE}, steps: {steps}}}"] if steps else []
    return "\n".join(out + [f"training: {{batch: 512, updates: 2000, optim: {optim}}}", *more]) + "\n"


def evaluate(losses, parts, weights, inputs, dtype):
    """The losses, and each one's gradients by the weights of its part."""
    p = {k: v.clone().requires_grad_(True) for k, v in cast(weights, dtype).items()}
    out = {}
    for number, (loss, part) in enumerate(zip(losses(p, cast(inputs, dtype)), parts)):
        names = [n for n in p if n.startswith(tuple(f"{name}." for name in part))]
        gradients = torch.autograd.grad(loss, [p[n] for n in names], retain_graph=True)
        out |= {f"loss.{number}": loss.detach()} | {f"grad.{n}": v for n, v in zip(names, gradients)}
    return out


def check_gradients(losses, parts, weights, inputs, out):
    """Central differences along a random direction in each parameter."""
    g, h = generator(99), 1e-6
    for number, part in enumerate(parts):
        for name in (n for n in weights if n.startswith(tuple(f"{own}." for own in part))):
            u = torch.randn(weights[name].shape, generator=g, dtype=torch.float64)
            at = lambda s: float(losses(weights | {name: weights[name] + s * u}, inputs)[number].detach())
            numeric, exact = (at(h) - at(-h)) / (2 * h), float((out[f"grad.{name}"] * u).sum())
            assert abs(numeric - exact) < 1e-6 * (1 + abs(exact)), (name, numeric, exact)


def write(seed, name, losses, parts, more_inputs, optim, more, steps):
    g = generator(seed)
    if name == "vae":
        weights = network_weights(g, "encoder", N, 2 * Z) | network_weights(g, "decoder", Z, N)
        inputs = {"noise": normal(g, B, Z, std=1.0)}
    else:
        parts = [("critic",), ("generator",)]
        weights = network_weights(g, "generator", Z, N) | network_weights(g, "critic", N, 1)
        inputs = {f"latent.{part}": normal(g, B, Z, std=1.0) for part in ("critic", "generator")}
    inputs["real"] = normal(g, B, N, mean=0.2)
    if "mix" in more_inputs:
        inputs["mix"] = torch.rand(B, 1, generator=g).double()
    inputs = cast(cast(inputs, torch.float32), torch.float64)
    out = evaluate(losses, parts, weights, inputs, torch.float64)
    single = evaluate(losses, parts, weights, inputs, torch.float32)
    check_gradients(losses, parts, weights, inputs, out)
    worst = max(float((out[k] - single[k]).abs().max() / (1 + out[k].abs().max())) for k in out)
    assert worst < 3e-6, (name, worst)
    # A constant added to all scores changes only GAN's losses.
    nothing = {"grad.critic.out.bias"} if name in ("softmax-gan", "wgan", "wgan-gp") else set()
    assert {k for k, v in out.items() if float(v.abs().max()) < 1e-4} == nothing, name

    folder = GOLDEN / name
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(config(name, optim, more, steps))
    for file, tensors in (("weights", weights), ("batch", inputs), ("expected", out)):
        tensors = {k: v.contiguous() for k, v in cast(tensors, torch.float32).items()}
        save_file(tensors, folder / f"{file}.safetensors")
    values = ", ".join(f"{float(out[k]):.6f}" for k in out if k.startswith("loss."))
    print(f"{name}: losses {values}, {len(out)} tensors, single precision differs by {worst:.1e}")


if __name__ == "__main__":
    for number, (name, case) in enumerate(CASES.items()):
        write(30 + number, name, *case)
