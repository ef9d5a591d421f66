// A module in TorchScript from the operations of one forward pass (src/serving/trace.rs).
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/fixup_trace_scope_blocks.h>
#include <torch/csrc/jit/passes/normalize_ops.h>

#include <fstream>
#include <memory>

#include "guarded.h"

namespace jit = torch::jit;

extern "C" {
struct NamedTensor {
    const char* name;
    const at::Tensor* tensor;
    bool trained;
};
}

namespace {
struct Trace {
    std::shared_ptr<jit::CompilationUnit> unit = std::make_shared<jit::CompilationUnit>();
    jit::Module root{c10::QualifiedName("__torch__.Net"), unit};
};
}  // namespace

// From here on operations are written down, until `scenarec_trace_end` or `scenarec_trace_abandon`, of which one must follow.
extern "C" char* scenarec_trace_begin(const NamedTensor* weights, size_t n_weights, const NamedTensor* inputs, size_t n_inputs,
                                      Trace** out) {
    return guarded([&] {
        TORCH_CHECK(!jit::tracer::isTracing(), "a trace within a trace");
        auto trace = std::make_unique<Trace>();
        // Whole names are attributes of the one module: parts of them need not be words that TorchScript can read.
        for (size_t i = 0; i < n_weights; i++) {
            trace->root.register_parameter(weights[i].name, *weights[i].tensor, /*is_buffer=*/!weights[i].trained);
        }
        auto state = std::make_shared<jit::tracer::TracingState>();
        auto& graph = *state->graph;
        auto* self = graph.insertInput(0, "self")->setType(trace->root._ivalue()->type());
        for (size_t i = 0; i < n_inputs; i++) {
            auto* value = graph.addInput(inputs[i].name)->setType(c10::TensorType::get());
            state->setValue(*inputs[i].tensor, value);
        }
        for (size_t i = 0; i < n_weights; i++) {
            state->setValue(*weights[i].tensor, graph.insertGetAttr(self, weights[i].name));
        }
        jit::tracer::setTracingState(state);
        *out = trace.release();
    });
}

// The module whose forward gives `result`, as a file.
extern "C" char* scenarec_trace_end(Trace* trace, const at::Tensor* result, const char* path) {
    std::unique_ptr<Trace> own(trace);
    auto error = guarded([&] {
        auto state = jit::tracer::getTracingState();
        TORCH_CHECK(state, "no trace has begun");
        state->graph->registerOutput(state->getOutput(*result, 0));
        jit::FixupTraceScopeBlocks(state->graph, &own->root);
        jit::NormalizeOps(state->graph);
        jit::tracer::setTracingState(nullptr);
        jit::EliminateDeadCode(state->graph);
        auto name = c10::QualifiedName(*own->root.type()->name(), "forward");
        own->root.type()->addMethod(own->unit->create_function(name, state->graph));
        // Under no name: libtorch refuses some that temporary files have.
        std::ofstream file(path, std::ios::binary);
        own->root.save(file);
        TORCH_CHECK(file.flush(), "cannot write ", path);
    });
    jit::tracer::setTracingState(nullptr);
    return error;
}

extern "C" void scenarec_trace_abandon(Trace* trace) {
    jit::tracer::setTracingState(nullptr);
    delete trace;
}
