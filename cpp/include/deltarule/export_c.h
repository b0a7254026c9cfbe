// A network as one C99 file that needs nothing but math.h: for microcontrollers, plugins, other languages.
#pragma once

#include <deltarule/network.h>

namespace deltarule {

template <class T>
struct ExportOptions {
  std::string prefix = "model";      // every name in the file begins with it
  std::span<const T> test_inputs{};  // rows for the self-test; none given: rows drawn at random
  std::string_view comment{};        // goes into the comment at the top
};

// Writes inference of the network. What the file holds and how it is used says the comment at its top.
// Atomic: `path` is the old file or the whole new one. Throws std::invalid_argument for what cannot be
// written (layers and activations from outside the catalogue, numbers that are not finite, a prefix that is
// no name in C) and std::system_error where the file cannot be.
template <class T>
void export_c(const std::string& path, const Network<T>& network, const ExportOptions<T>& options = {});

// The text of that file.
template <class T>
std::string to_c(const Network<T>& network, const ExportOptions<T>& options = {});

}  // namespace deltarule
