#include <deltarule/engine/arena.h>
#include <deltarule/engine/product.h>
#include <deltarule/engine/team.h>
#include <algorithm>
#include <vector>

namespace deltarule::engine {
namespace {

constexpr double flops_worth_a_team = 2e6;

// Kept from call to call: making and clearing it would take longer than a small product.
template <class T>
T* workspace(std::size_t part, std::size_t size) {
  thread_local std::vector<Buffer<T>> buffers;
  if (buffers.size() <= part) buffers.resize(part + 1);
  if (buffers[part].size() < size) buffers[part] = Buffer<T>(size);
  return buffers[part].data();
}

template <class T>
std::size_t size_for(const Product<T>& p) {
  return workspace_size<T>(p.m, p.n, p.k);
}

// One part per thread, each with a workspace of its own, made before the team starts: a task must not throw.
template <class T>
void share(const Product<T>& p, int threads) {
  const bool by_rows = p.m >= p.n;
  const std::ptrdiff_t unit = by_rows ? 24 : 64, length = by_rows ? p.m : p.n,
                       units = (length + unit - 1) / unit;
  struct Part {
    Product<T> product;
    T* workspace;
  };
  std::vector<Part> parts;
  for (int t = 0; t < threads; ++t) {
    const std::ptrdiff_t begin = std::min(length, units * t / threads * unit),
                         end = std::min(length, units * (t + 1) / threads * unit);
    if (begin >= end) continue;
    Product<T> part = p;
    (by_rows ? part.m : part.n) = end - begin;
    if (by_rows) {
      part.a += begin * p.a_row;
      part.c += begin * p.c_row;
    } else {
      part.b += begin * p.b_column;
      part.c += begin;
      if (part.bias) part.bias += begin;
    }
    parts.push_back({part, workspace<T>(parts.size(), size_for(part))});
  }
  parallel_for(threads, static_cast<int>(parts.size()), [&](int, int i) {
    const Part& part = parts[static_cast<std::size_t>(i)];
    multiply(part.product, part.workspace);
  });
}

}  // namespace

template <class T>
void product(Product<T> p) {
  p.slack = false;
  const double flops = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  if (const int threads = flops < flops_worth_a_team ? 1 : engine::threads(); threads > 1)
    share(p, threads);
  else
    multiply(p, workspace<T>(0, size_for(p)));
}

template void product<float>(Product<float>);
template void product<double>(Product<double>);

}  // namespace deltarule::engine
