"""How a program tells `scenarec bench` what it measured: a line of JSON, its last one."""
import json
import resource


def figure(samples_per_second=None, **more):
    """`seconds=…` in place of the rate; `multiply_adds_per_sample=…` where they are counted."""
    if samples_per_second is not None:
        more["samples_per_second"] = samples_per_second
    more["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(more), flush=True)


def multiply_adds(step, samples):
    """Of a sample in `step()`, which trains on `samples`: multiplications, with an addition each, in matrix products."""
    from torch.utils.flop_counter import FlopCounterMode
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / 2 / samples
