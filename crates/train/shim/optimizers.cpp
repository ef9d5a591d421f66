// What tch does not wrap: the fused dense optimiser kernels and deterministic mode.
#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcdiv.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <ATen/ops/_fused_adagrad.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_sgd.h>

#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "guarded.h"

namespace {
std::vector<at::Tensor> list(at::Tensor** tensors, size_t n) {
    std::vector<at::Tensor> out;
    out.reserve(n);
    for (size_t i = 0; i < n; ++i) out.push_back(*tensors[i]);
    return out;
}

// torch.optim counts the step before it calls the kernel.
void count(std::vector<at::Tensor>& steps) {
    for (auto& s : steps) s.add_(1);
}
}  // namespace

extern "C" {
void scenarec_free(char* text) { std::free(text); }

char* scenarec_fused_adam(size_t n, at::Tensor** params, at::Tensor** grads, at::Tensor** exp_avgs,
                          at::Tensor** exp_avg_sqs, at::Tensor** steps, double lr, double beta1, double beta2,
                          double eps, double weight_decay) {
    return guarded([&] {
        at::NoGradGuard guard;
        auto p = list(params, n), g = list(grads, n), m = list(exp_avgs, n), v = list(exp_avg_sqs, n),
             t = list(steps, n);
        count(t);
        at::_fused_adam_(p, g, m, v, {}, t, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false,
                         /*maximize=*/false);
    });
}

char* scenarec_fused_adagrad(size_t n, at::Tensor** params, at::Tensor** grads, at::Tensor** sums, at::Tensor** steps,
                             double lr, double lr_decay, double eps, double weight_decay) {
    return guarded([&] {
        at::NoGradGuard guard;
        auto p = list(params, n), g = list(grads, n), s = list(sums, n), t = list(steps, n);
        count(t);
        at::_fused_adagrad_(p, g, s, t, lr, lr_decay, weight_decay, eps, /*maximize=*/false);
    });
}

char* scenarec_fused_sgd(size_t n, at::Tensor** params, at::Tensor** grads, double lr, double weight_decay) {
    return guarded([&] {
        at::NoGradGuard guard;
        auto p = list(params, n), g = list(grads, n);
        at::_fused_sgd_(p, g, {}, weight_decay, /*momentum=*/0.0, lr, /*dampening=*/0.0, /*nesterov=*/false,
                        /*maximize=*/false, /*is_first_step=*/false);
    });
}

// torch.optim.RMSprop has no fused kernel; these are the steps of its foreach form.
char* scenarec_rmsprop(size_t n, at::Tensor** params, at::Tensor** grads, at::Tensor** square_avgs, double lr,
                       double alpha, double eps, double weight_decay) {
    return guarded([&] {
        at::NoGradGuard guard;
        auto p = list(params, n), g = list(grads, n), v = list(square_avgs, n);
        if (weight_decay != 0) g = at::_foreach_add(g, p, weight_decay);
        at::_foreach_mul_(v, alpha);
        at::_foreach_addcmul_(v, g, g, 1 - alpha);
        auto root = at::_foreach_sqrt(v);
        at::_foreach_add_(root, eps);
        at::_foreach_addcdiv_(p, g, root, -lr);
    });
}

// Numbers below 1.2e-38 count as zero on this thread: weight decay makes them, and processors are up to a hundred times
// slower on them.
char* scenarec_flush_denormals() {
    return guarded([] {
        if (!at::globalContext().setFlushDenormal(true)) throw std::runtime_error("this processor cannot flush denormals");
    });
}

// Refuses kernels whose result depends on timing, and TF32's shortened products on a GPU.
char* scenarec_deterministic() {
    return guarded([] {
        at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
        // Filling every fresh tensor with NaN is meant for debugging, and costs a pass over its memory.
        at::globalContext().setDeterministicFillUninitializedMemory(false);
        at::globalContext().setAllowTF32CuBLAS(false);
    });
}
}
