"""Diff-MSR's diffusion model: golden cases diff-msr-unet and diff-msr-pointwise.

The denoiser layer by layer with PyTorch's own convolutions and normalisations, at small sizes; the losses of all
objectives and norms with given steps and noise; the gradients of the paper's (v, squared); rows after the reverse process
with given noise, every step (DDPM) and few (DDIM). Compared by crates/diffusion/tests/unet_golden.rs.
"""
import math

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from common import GOLDEN, cast, generator, normal

B, C, D, T = 6, 2, 8, 60
CHANNELS, HEADS, HEAD, GROUPS = (16, 8), 2, 4, 8
STARTS = (59, 0, 20, 59, 41, 7)          # steps at which the rows enter the reverse process
DDIM = (0, 12, 24, 35, 47, 59)           # 6 steps, evenly, rounded


def beta():
    """The piece-wise schedule: 50 steps of 2e-4, then in equal steps to 0.05."""
    return torch.cat((torch.full((50,), 2e-4), torch.linspace(2e-4, 0.05, T - 50))).double()


def unet_weights(seed, pointwise):
    g, w = generator(seed), {}
    kernel = 1 if pointwise else 3
    wide = 4 * CHANNELS[0]

    def linear(name, inputs, outputs):
        w[f"{name}.weight"] = normal(g, outputs, inputs, std=0.5 / math.sqrt(inputs))
        w[f"{name}.bias"] = normal(g, outputs)

    def conv(name, inputs, outputs, k, bias=True):
        w[f"{name}.weight"] = normal(g, outputs, inputs, k, std=1 / math.sqrt(inputs * k))
        if bias:
            w[f"{name}.bias"] = normal(g, outputs)

    def block(name, inputs, outputs):
        linear(f"{name}.time", wide, 2 * outputs)
        for half, width in (("0", inputs), ("1", outputs)):
            conv(f"{name}.{half}.conv", width, outputs, kernel)
            w[f"{name}.{half}.norm.weight"] = normal(g, outputs, mean=1)
            w[f"{name}.{half}.norm.bias"] = normal(g, outputs)
        if inputs != outputs:
            conv(f"{name}.skip", inputs, outputs, 1)

    def attention(name, channels, form):
        w[f"{name}.norm.weight"] = normal(g, channels, mean=1)
        conv(f"{name}.qkv", channels, 3 * HEADS * HEAD, 1, bias=False)
        conv(f"{name}.out", HEADS * HEAD, channels, 1)
        if form == "linear":
            w[f"{name}.out_norm.weight"] = normal(g, channels, mean=1)

    conv("stem", C, CHANNELS[0], 1)
    linear("time.0", CHANNELS[0], wide)
    linear("time.1", wide, wide)
    pairs = list(zip((CHANNELS[0], *CHANNELS), CHANNELS))
    last = len(pairs) - 1
    for i, (a, b) in enumerate(pairs):
        block(f"down.{i}.0", a, a)
        block(f"down.{i}.1", a, a)
        attention(f"down.{i}.attention", a, "linear")
        conv(f"down.{i}.resample", a, b, 1 if pointwise or i == last else 4)
    block("middle.0", CHANNELS[-1], CHANNELS[-1])
    block("middle.1", CHANNELS[-1], CHANNELS[-1])
    attention("middle.attention", CHANNELS[-1], "full")
    for i, (a, b) in enumerate(reversed(pairs)):
        block(f"up.{i}.0", a + b, b)
        block(f"up.{i}.1", a + b, b)
        attention(f"up.{i}.attention", b, "linear")
        conv(f"up.{i}.resample", b, a, 1 if pointwise or i == last else 3)
    block("head", 2 * CHANNELS[0], CHANNELS[0])
    conv("out", CHANNELS[0], C, 1)
    return w


def unet(p, z, t, pointwise):
    """[B, C, D] at steps t [B]."""
    def linear(name, x):
        return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])

    def conv(name, x, **how):
        return F.conv1d(x, p[f"{name}.weight"], p[f"{name}.bias"], **how)

    def half(name, x, scale_shift=None):
        weight = p[f"{name}.conv.weight"]
        mean = weight.mean((1, 2), keepdim=True)
        variance = ((weight - mean) ** 2).mean((1, 2), keepdim=True)
        x = F.conv1d(x, (weight - mean) / (variance + 1e-5).sqrt(), p[f"{name}.conv.bias"], padding=weight.shape[2] // 2)
        x = F.group_norm(x, GROUPS, p[f"{name}.norm.weight"], p[f"{name}.norm.bias"])
        if scale_shift is not None:
            scale, shift = scale_shift
            x = x * (scale + 1) + shift
        return F.silu(x)

    def block(name, x, time):
        scale_shift = linear(f"{name}.time", F.silu(time))[:, :, None].chunk(2, 1)
        y = half(f"{name}.1", half(f"{name}.0", x, scale_shift))
        return y + (conv(f"{name}.skip", x) if f"{name}.skip.weight" in p else x)

    def layer_norm(name, x):
        return F.layer_norm(x.transpose(1, 2), x.shape[1:2], p[f"{name}.weight"]).transpose(1, 2)

    def attention(name, x, form):
        qkv = F.conv1d(layer_norm(f"{name}.norm", x), p[f"{name}.qkv.weight"])
        q, k, v = (part.reshape(len(x), HEADS, HEAD, -1) for part in qkv.chunk(3, 1))
        if form == "linear":
            q, k = q.softmax(2) / math.sqrt(HEAD), k.softmax(3)
            context = torch.einsum("bhdn,bhen->bhde", k, v)
            out = conv(f"{name}.out", torch.einsum("bhde,bhdn->bhen", context, q).flatten(1, 2))
            return layer_norm(f"{name}.out_norm", out) + x
        weights = torch.einsum("bhdi,bhdj->bhij", q / math.sqrt(HEAD), k).softmax(3)
        return conv(f"{name}.out", torch.einsum("bhij,bhdj->bhdi", weights, v).flatten(1, 2)) + x

    half_width = CHANNELS[0] // 2
    angles = t[:, None].to(z.dtype) * torch.exp(-math.log(10000) * torch.arange(half_width).to(z.dtype) / (half_width - 1))
    time = linear("time.1", F.gelu(linear("time.0", torch.cat((angles.sin(), angles.cos()), 1))))
    x = stem = conv("stem", z)
    passed, last = [], len(CHANNELS) - 1
    for i in range(len(CHANNELS)):
        x = block(f"down.{i}.0", x, time)
        passed.append(x)
        x = attention(f"down.{i}.attention", block(f"down.{i}.1", x, time), "linear")
        passed.append(x)
        x = conv(f"down.{i}.resample", x, **({} if pointwise or i == last else dict(stride=2, padding=1)))
    x = block("middle.1", attention("middle.attention", block("middle.0", x, time), "full"), time)
    for i in range(len(CHANNELS)):
        x = block(f"up.{i}.0", torch.cat((x, passed.pop()), 1), time)
        x = block(f"up.{i}.1", torch.cat((x, passed.pop()), 1), time)
        x = attention(f"up.{i}.attention", x, "linear")
        if pointwise or i == last:
            x = conv(f"up.{i}.resample", x)
        else:
            x = conv(f"up.{i}.resample", F.interpolate(x, scale_factor=2, mode="nearest"), padding=1)
    return conv("out", block("head", torch.cat((x, stem), 1), time))


def losses(p, x, pointwise):
    """The network's output at z_t, and its distance from each target in each norm."""
    kept = (1 - beta()).cumprod(0)[x["t"]][:, None, None]
    signal, share = kept.sqrt().to(x["z0"].dtype), (1 - kept).sqrt().to(x["z0"].dtype)
    output = unet(p, signal * x["z0"] + share * x["noise"], x["t"], pointwise)
    targets = {"v": signal * x["noise"] - share * x["z0"], "x0": x["z0"], "noise": x["noise"]}
    out = {"output": output}
    for name, target in targets.items():
        out[f"loss.{name}.l2"] = ((output - target) ** 2).mean()
        out[f"loss.{name}.l1"] = (output - target).abs().mean()
    return out


def reverse(p, x, pointwise, indices, noisy):
    """Row by row from its start through the lower of `indices`; the network predicts v; estimates are kept in [-1, 1]."""
    b, kept, rows = beta().tolist(), (1 - beta()).cumprod(0).tolist(), []
    root = math.sqrt
    for i, start in enumerate(STARTS):
        z = x["z"][i:i + 1]
        path = [start] + [k for k in reversed(indices) if k < start]
        for t, to in zip(path, path[1:] + [None]):
            v = unet(p, z, torch.tensor([t]), pointwise)
            z0 = (root(kept[t]) * z - root(1 - kept[t]) * v).clamp(-1, 1)
            if to is None:
                z = z0
            elif noisy:
                mean = b[t] * root(kept[t - 1]) / (1 - kept[t]) * z0
                mean = mean + (1 - kept[t - 1]) * root(1 - b[t]) / (1 - kept[t]) * z
                z = mean + root(b[t] * (1 - kept[t - 1]) / (1 - kept[t])) * x["xi"][t, i]
            else:
                eps = (z - root(kept[t]) * z0) / root(1 - kept[t])
                z = root(kept[to]) * z0 + root(1 - kept[to]) * eps
        rows.append(z[0])
    return torch.stack(rows)


def evaluate(weights, inputs, pointwise, dtype):
    p = {k: v.clone().requires_grad_(True) for k, v in cast(weights, dtype).items()}
    x = cast(inputs, dtype)
    out = losses(p, x, pointwise)
    gradients = torch.autograd.grad(out["loss.v.l2"], list(p.values()))
    out = {k: v.detach() for k, v in out.items()} | {f"grad.{n}": g for n, g in zip(p, gradients)}
    with torch.no_grad():
        out["ddpm"] = reverse(p, x, pointwise, range(T), True)
        out["ddim"] = reverse(p, x, pointwise, DDIM, False)
    return out


def check_gradients(weights, inputs, pointwise, out):
    """Central differences along a random direction in each parameter."""
    g, h = generator(99), 1e-6
    for name in weights:
        u = torch.randn(weights[name].shape, generator=g, dtype=torch.float64)
        with torch.no_grad():
            at = lambda s: float(losses(weights | {name: weights[name] + s * u}, inputs, pointwise)["loss.v.l2"])
            numeric, exact = (at(h) - at(-h)) / (2 * h), float((out[f"grad.{name}"] * u).sum())
        assert abs(numeric - exact) < 1e-6 * (1 + abs(exact)), (name, numeric, exact)


def write(case, seed, pointwise):
    g = generator(seed)
    weights = unet_weights(seed + 1, pointwise)
    inputs = {"z0": normal(g, B, C, D), "noise": normal(g, B, C, D, std=1.0), "z": normal(g, B, C, D, std=1.0),
              "xi": normal(g, T, B, C, D, std=1.0)}
    inputs["t"] = torch.tensor([0, T - 1, 49, 50, 17, 55])
    out = evaluate(weights, inputs, pointwise, torch.float64)
    single = evaluate(weights, inputs, pointwise, torch.float32)
    check_gradients(weights, inputs, pointwise, out)
    error = {k: float((out[k] - single[k]).abs().max() / (1 + out[k].abs().max())) for k in out}
    worst = max(error, key=error.get)
    assert error[worst] < 4e-6, (case, worst, error[worst])    # well conditioned: single precision reproduces it
    # Where a group is one channel, its normalisation takes away the convolution's bias.
    nothing = {k for k in out if k.endswith(".conv.bias") and len(out[k]) == GROUPS}
    assert {k for k, v in out.items() if float(v.abs().max()) < 1e-3} == nothing, case

    folder = GOLDEN / case
    folder.mkdir(exist_ok=True)
    for file, tensors in (("weights", weights), ("batch", inputs), ("expected", out)):
        tensors = {k: v.contiguous() for k, v in cast(tensors, torch.float32).items()}
        save_file(tensors, folder / f"{file}.safetensors")
    size = sum(f.stat().st_size for f in folder.iterdir())
    assert size < 450_000, size
    print(f"{case}: loss {float(out['loss.v.l2']):.6f}, {len(out)} tensors, {size} bytes, "
          f"single precision differs by {error[worst]:.1e} ({worst})")


if __name__ == "__main__":
    write("diff-msr-unet", 13, False)
    write("diff-msr-pointwise", 25, True)
