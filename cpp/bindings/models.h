// The Python-side owners of a network and a trainer, for both real types.
#pragma once

#include <deltarule/engine/machine.h>
#include <deltarule/serialize.h>
#include <deltarule/session.h>
#include <deltarule/trainer.h>

#include <mutex>
#include <variant>

#include "common.h"

namespace deltarule::bindings {

// Sessions are lent out, so that any number of Python threads may predict at once.
template <class T>
class SessionPool {
 public:
  // Sessions to come multiply by these; before the first one is taken.
  void use(std::unique_ptr<const Bfloat16Weights> weights) { rounded_ = std::move(weights); }
  const Bfloat16Weights* rounded() const { return rounded_.get(); }
  std::unique_ptr<Session<T>> take(const Network<T>& network, std::ptrdiff_t max_batch) {
    {
      const std::lock_guard lock(mutex_);
      auto& list = max_batch == 1 ? single_ : batch_;
      if (!list.empty()) {
        auto session = std::move(list.back());
        list.pop_back();
        return session;
      }
    }
    if constexpr (std::is_same_v<T, float>)
      if (rounded_) return std::make_unique<Session<T>>(network, *rounded_, max_batch);
    return std::make_unique<Session<T>>(network, max_batch);
  }
  void give(std::unique_ptr<Session<T>> session) {
    const std::lock_guard lock(mutex_);
    (session->max_batch() == 1 ? single_ : batch_).push_back(std::move(session));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Session<T>>> single_, batch_;
  std::unique_ptr<const Bfloat16Weights> rounded_;
};

template <class T>
struct NetworkBox {
  using Scalar = T;
  explicit NetworkBox(Network<T> n) : network(std::move(n)) {}
  Network<T> network;
  SessionPool<T> sessions;
  std::unique_ptr<engine::Machine<T>> machine;  // of forward() and backward()
  std::ptrdiff_t rows = 0;                      // of the last forward(); 0: none
  std::uint64_t passes = 0;

  void predict(const T* x, T* out, std::ptrdiff_t count);
  void forward(const T* x, T* out, std::ptrdiff_t count, bool training);
  void backward(const T* dy, T* dx);
};

extern template struct NetworkBox<float>;
extern template struct NetworkBox<double>;

template <class T>
using SharedBox = std::shared_ptr<NetworkBox<T>>;
using AnyBox = std::variant<SharedBox<float>, SharedBox<double>>;

struct PyNetwork {
  AnyBox box;
};

template <class T>
struct TrainerBox {
  using Scalar = T;
  SharedBox<T> owner;
  std::unique_ptr<Trainer<T>> trainer;
  std::vector<std::string> metric_names;
  py::object x, y, weight, index;  // keep the arrays of set_data alive
  Data<T> data{};
  std::ptrdiff_t batch_size = 32;
  bool shuffle = true;
};

struct PyTrainer {
  std::variant<std::shared_ptr<TrainerBox<float>>, std::shared_ptr<TrainerBox<double>>> box;
};

// Rows for this loss out of NumPy arrays, which must outlive it; an error that names the array whose shape is
// wrong. `index`: the numbers of the rows, or None for all.
template <class T>
Data<T> data_of(const Network<T>& network, const Choice& loss, const py::array& x, const py::array& y,
                const py::object& weight, const py::object& index = py::none()) {
  if (x.ndim() != 2 || x.shape(1) != network.input_width())
    throw py::value_error("X: shape " + shape_text(x) + ", expected (rows, " +
                          std::to_string(network.input_width()) + ")");
  Data<T> data{.rows = x.shape(0), .x = numbers<T>(x, "X")};
  if (holds<std::int32_t>(y)) {
    expect_shape(y, {x.shape(0)}, "y");
    data.label = numbers<std::int32_t>(y, "y");
  } else {
    expect_shape(y, {x.shape(0), network.output_width() / loss_kernel<T>(loss.index).outputs_per_target},
                 "y");
    data.target = numbers<T>(y, "y");
  }
  if (!weight.is_none()) {
    const auto w = py::cast<py::array>(weight);
    expect_shape(w, {x.shape(0)}, "sample_weight");
    data.weight = numbers<T>(w, "sample_weight");
  }
  if (!index.is_none()) {
    const auto chosen = py::cast<py::array>(index);
    expect_shape(chosen, {chosen.size()}, "rows");
    data.index = numbers<std::uint32_t>(chosen, "rows");
    data.rows = chosen.size();
    const py::ssize_t count = x.shape(0);
    if (std::any_of(data.index, data.index + data.rows, [&](std::uint32_t row) { return row >= count; }))
      throw py::value_error("rows: more than there are rows");
  }
  return data;
}

// Whether training or evaluation on this thread is to end: a signal came, or fit_many ends. The exception of
// a signal's handler is then set.
bool signalled();
// After work that signalled() may have ended: throws what it stands for.
void raise_if_signalled(bool stopped);
// While it lives, signalled() on this thread asks this function instead; null: signals again.
class StopInstead {
 public:
  explicit StopInstead(const std::function<bool()>* stop);
  ~StopInstead();
  StopInstead(const StopInstead&) = delete;
  StopInstead& operator=(const StopInstead&) = delete;
  static const std::function<bool()>* current();

 private:
  const std::function<bool()>* outer_;
};

// Loss and metrics by name, each with `prefix` before it.
template <class T>
void put_figures(const TrainerBox<T>& b, const Figures& f, py::dict& out, const std::string& prefix = {}) {
  out[py::str(prefix + "loss")] = f.loss;
  for (std::size_t i = 0; i < f.metrics.size(); ++i) out[py::str(prefix + b.metric_names[i])] = f.metrics[i];
}

void bind_trainer(py::module_& m);
void bind_fit_many(py::module_& m);

}  // namespace deltarule::bindings
