// Inference on a const network: memory taken at construction, then no allocation, no lock, no exception.
#pragma once

#include <deltarule/bfloat16_weights.h>
#include <deltarule/engine/plan.h>
#include <cassert>
#include <concepts>
#include <exception>

namespace deltarule {

template <class T>
class Session {
 public:
  // The network must be built and must outlive the session; its parameters may change between runs.
  explicit Session(const Network<T>& network, std::ptrdiff_t max_batch = 1);
  // Multiplies by rounded weights, which must be those of this network and outlive the session; everything
  // else is the network's. Throws std::invalid_argument where they do not fit.
  Session(const Network<T>& network, const Bfloat16Weights& weights, std::ptrdiff_t max_batch = 1)
    requires std::same_as<T, float>;
  explicit Session(const Network<T>&&, std::ptrdiff_t = 1) = delete;  // would be gone at the first run
  Session(const Network<T>&&, const Bfloat16Weights&, std::ptrdiff_t = 1) = delete;
  Session(const Network<T>&, const Bfloat16Weights&&, std::ptrdiff_t = 1) = delete;

  std::ptrdiff_t max_batch() const { return max_batch_; }
  std::ptrdiff_t input_width() const { return input_width_; }
  std::ptrdiff_t output_width() const { return output_width_; }

  // Threads worth using for this many rows: each with a session of its own and a share of the rows, or, where
  // there are few rows and the weights are large, all together in run_shared().
  int useful_threads(std::ptrdiff_t rows, int available) const {
    return plan_.useful_threads(rows, available);
  }

  // in: rows x input_width, out: rows x output_width, both contiguous; any number of rows.
  void run(const T* in, T* out, std::ptrdiff_t rows = 1) noexcept;
  // The same for one row; the spans' sizes must be the network's widths.
  // Inlined everywhere, so that the caller's own NDEBUG decides whether they are looked at.
  [[gnu::always_inline]] void run(std::span<const T> in, std::span<T> out) noexcept {
    assert(std::ssize(in) == input_width_ && std::ssize(out) == output_width_);
    run(in.data(), out.data(), 1);
  }
  // The same by several threads, which share the columns of products with large weights; every bit is that of
  // run(). Not for real time: wakes threads, and allocates when it is called with more of them than before.
  void run_shared(int threads, const T* in, T* out, std::ptrdiff_t rows);
  // Whether there are such products.
  bool large() const;
  // A function from outside the catalogue (custom.h) threw in the last run, whose output is NaN; null
  // otherwise.
  const std::exception_ptr& error() const noexcept { return error_; }

 private:
  template <class Forward>
  void run_blocks(const T* in, T* out, std::ptrdiff_t rows, Forward&& forward) noexcept;

  engine::Plan<T> plan_;
  std::ptrdiff_t max_batch_, input_width_, output_width_;
  engine::Buffer<T> arena_, scratch_;
  std::vector<engine::Buffer<T>> more_scratch_ = {};  // of the second thread and on
  std::vector<engine::View<T>> values_;
  std::exception_ptr error_{};
};

extern template class Session<float>;
extern template class Session<double>;

}  // namespace deltarule
