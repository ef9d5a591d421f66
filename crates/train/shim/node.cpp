// A node of autograd's graph whose numbers come from a kernel in Rust (src/node.rs).
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include <ATen/ops/alias.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <memory>

#include "guarded.h"

extern "C" {
struct View {
    void* numbers;
    const int64_t* sizes;
    size_t dims;
    bool integers;
};
struct Settings {
    const int64_t* numbers;
    size_t count;
};
using Forward = void (*)(Settings, const View*, size_t, float*, size_t);
using Backward = void (*)(Settings, const View*, size_t, const float*, size_t, float* const*);
// A new tensor, which is the caller's.
using Composed = at::Tensor* (*)(Settings, const at::Tensor* const*, size_t);
}

namespace {
std::vector<View> views(const torch::autograd::variable_list& tensors) {
    std::vector<View> all;
    for (const auto& x : tensors) {
        auto integers = x.scalar_type() == at::kLong;
        TORCH_CHECK(integers || x.scalar_type() == at::kFloat, "a kernel was given ", x.scalar_type());
        TORCH_CHECK(x.is_cpu(), "a kernel was given a tensor on ", x.device());
        all.push_back({x.data_ptr(), x.sizes().data(), size_t(x.dim()), integers});
    }
    return all;
}

// The gradients as functions of the inputs and of `d_out`, in the graph themselves: the kernel's are numbers only.
torch::autograd::variable_list differentiable(const torch::autograd::variable_list& inputs, const std::vector<bool>& needed,
                                              const std::vector<int64_t>& settings, Composed composed,
                                              const at::Tensor& d_out) {
    // An input may depend on another one: what goes through the other one is not this node's.
    torch::autograd::variable_list own, wanted;
    std::vector<const at::Tensor*> given;
    for (const auto& x : inputs) own.push_back(x.alias());
    for (const auto& x : own) given.push_back(&x);
    for (size_t i = 0; i < own.size(); i++) {
        if (needed[i]) wanted.push_back(own[i]);
    }
    std::unique_ptr<at::Tensor> out(composed({settings.data(), settings.size()}, given.data(), given.size()));
    return torch::autograd::grad({*out}, wanted, {d_out}, /*retain_graph=*/true, /*create_graph=*/true);
}

struct Node : torch::autograd::Function<Node> {
    static at::Tensor forward(torch::autograd::AutogradContext* ctx, at::TensorList given, std::vector<int64_t> settings,
                              std::vector<int64_t> sizes, Forward forward, Backward backward, Composed composed) {
        auto inputs = given.vec();
        auto out = at::empty(sizes, at::kFloat);
        auto all = views(inputs);
        forward({settings.data(), settings.size()}, all.data(), all.size(), out.data_ptr<float>(), out.numel());
        ctx->save_for_backward(inputs);
        ctx->saved_data["settings"] = settings;
        ctx->saved_data["backward"] = reinterpret_cast<int64_t>(backward);
        ctx->saved_data["composed"] = reinterpret_cast<int64_t>(composed);
        return out;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                   torch::autograd::variable_list grads) {
        auto inputs = ctx->get_saved_variables();
        auto settings = ctx->saved_data["settings"].toIntVector();
        std::vector<bool> needed(inputs.size());
        for (size_t i = 0; i < inputs.size(); i++) {
            needed[i] = ctx->needs_input_grad(i) && inputs[i].scalar_type() == at::kFloat;
        }
        torch::autograd::variable_list d_inputs(inputs.size());
        // The caller wants to differentiate the gradients.
        if (at::GradMode::is_enabled()) {
            auto composed = reinterpret_cast<Composed>(ctx->saved_data["composed"].toInt());
            auto wanted = differentiable(inputs, needed, settings, composed, grads[0]);
            for (size_t i = 0, next = 0; i < inputs.size(); i++) {
                if (needed[i]) d_inputs[i] = wanted[next++];
            }
        } else {
            auto backward = reinterpret_cast<Backward>(ctx->saved_data["backward"].toInt());
            std::vector<float*> numbers(inputs.size());
            for (size_t i = 0; i < inputs.size(); i++) {
                if (!needed[i]) continue;
                d_inputs[i] = at::empty_like(inputs[i]);
                numbers[i] = d_inputs[i].data_ptr<float>();
            }
            auto d_out = grads[0].contiguous();
            auto all = views(inputs);
            backward({settings.data(), settings.size()}, all.data(), all.size(), d_out.data_ptr<float>(), d_out.numel(),
                     numbers.data());
        }
        // Neither the settings nor what follows them have gradients.
        d_inputs.resize(inputs.size() + 5);
        return d_inputs;
    }
};
}  // namespace

extern "C" char* scenarec_node(at::Tensor* const* inputs, size_t count, Settings settings, Settings sizes, Forward forward,
                               Backward backward, Composed composed, at::Tensor** out) {
    return guarded([&] {
        // What is written down for other programs must be made of operations that they have.
        if (torch::jit::tracer::isTracing()) {
            *out = composed(settings, inputs, count);
            return;
        }
        std::vector<at::Tensor> given;
        for (size_t i = 0; i < count; i++) given.push_back(inputs[i]->contiguous());
        std::vector<int64_t> numbers(settings.numbers, settings.numbers + settings.count);
        std::vector<int64_t> shape(sizes.numbers, sizes.numbers + sizes.count);
        *out = new at::Tensor(Node::apply(at::TensorList(given), numbers, shape, forward, backward, composed));
    });
}
