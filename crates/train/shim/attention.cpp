// Makes a node of autograd's graph of an attention whose numbers come from a kernel of ours (nn/attention).
#include <torch/csrc/autograd/custom_function.h>

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <optional>

#include "guarded.h"

extern "C" {
struct Shape {
    size_t rows, places, views, heads, width;
};
using Forward = void (*)(Shape, const float*, const float*, const int64_t*, float*);
using Backward = void (*)(Shape, const float*, const float*, const int64_t*, const float*, float*, float*);
}

namespace {
struct Kernel {
    Shape shape;
    Forward forward;
    Backward backward;
};

// A tensor's numbers; null where there is none.
template <typename T>
T* numbers(const at::Tensor& x) {
    return x.defined() ? x.data_ptr<T>() : nullptr;
}

struct Attention : torch::autograd::Function<Attention> {
    static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& given_views,
                              const std::optional<at::Tensor>& given_own, const at::Tensor& given_tokens,
                              Kernel kernel) {
        auto views = given_views.contiguous(), tokens = given_tokens.contiguous();
        auto own = given_own ? given_own->contiguous() : at::Tensor();
        const auto& s = kernel.shape;
        auto out = at::empty({int64_t(s.rows), int64_t(s.views), int64_t(s.places), int64_t(s.heads * s.width)},
                             views.options());
        kernel.forward(s, numbers<float>(views), numbers<float>(own), numbers<int64_t>(tokens), numbers<float>(out));
        ctx->save_for_backward({views, own, tokens});
        std::vector<int64_t> sizes{int64_t(s.rows), int64_t(s.places), int64_t(s.views), int64_t(s.heads),
                                   int64_t(s.width)};
        ctx->saved_data["shape"] = sizes;
        ctx->saved_data["backward"] = reinterpret_cast<int64_t>(kernel.backward);
        return out;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                   torch::autograd::variable_list grads) {
        auto saved = ctx->get_saved_variables();
        auto sizes = ctx->saved_data["shape"].toIntVector();
        Shape shape{size_t(sizes[0]), size_t(sizes[1]), size_t(sizes[2]), size_t(sizes[3]), size_t(sizes[4])};
        auto kernel = reinterpret_cast<Backward>(ctx->saved_data["backward"].toInt());
        auto d_out = grads[0].contiguous();
        auto d_views = at::empty_like(saved[0]);
        auto d_own = saved[1].defined() ? at::zeros_like(saved[1]) : at::Tensor();
        kernel(shape, numbers<float>(saved[0]), numbers<float>(saved[1]), numbers<int64_t>(saved[2]),
               numbers<float>(d_out), numbers<float>(d_views), numbers<float>(d_own));
        return {d_views, d_own, at::Tensor(), at::Tensor()};
    }
};
}  // namespace

extern "C" char* scenarec_attention(at::Tensor* views, at::Tensor* own, at::Tensor* tokens, Shape shape,
                                    Forward forward, Backward backward, at::Tensor** out) {
    return guarded([&] {
        auto part = own ? std::optional<at::Tensor>(*own) : std::nullopt;
        *out = new at::Tensor(Attention::apply(*views, part, *tokens, Kernel{shape, forward, backward}));
    });
}
