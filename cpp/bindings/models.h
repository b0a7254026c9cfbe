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
    return std::make_unique<Session<T>>(network, max_batch);
  }
  void give(std::unique_ptr<Session<T>> session) {
    const std::lock_guard lock(mutex_);
    (session->max_batch() == 1 ? single_ : batch_).push_back(std::move(session));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Session<T>>> single_, batch_;
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
  double flops_per_row = 0;

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
  py::object x, y, weight;  // keep the arrays of set_data alive
  Data<T> data{};
  std::ptrdiff_t batch_size = 32;
  bool shuffle = true;
};

struct PyTrainer {
  std::variant<std::shared_ptr<TrainerBox<float>>, std::shared_ptr<TrainerBox<double>>> box;
};

// Rows for this loss out of NumPy arrays, which must outlive it; an error that names the array whose shape is
// wrong.
template <class T>
Data<T> data_of(const Network<T>& network, const Choice& loss, const py::array& x, const py::array& y,
                const py::object& weight) {
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
  return data;
}

void bind_trainer(py::module_& m);

}  // namespace deltarule::bindings
