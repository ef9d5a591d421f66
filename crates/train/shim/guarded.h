// How the shim's functions answer: tensors cross as tch's own pointers (`at::Tensor*`); a function returns null, or the error's
// text, which the caller hands back to `scenarec_free`.
#pragma once
#include <cstring>
#include <exception>

template <typename F>
char* guarded(F&& f) {
    try {
        f();
        return nullptr;
    } catch (const std::exception& e) {
        return strdup(e.what());
    }
}

