// What a layer sees of the plan while it adds its operations to it.
#pragma once

#include <deltarule/engine/cache.h>
#include <deltarule/engine/op.h>
#include <memory>

namespace deltarule {
class Layer;
}

namespace deltarule::engine {

// A buffer of rows: where a value lives and where its gradient does.
struct Slot {
  std::ptrdiff_t columns = 0;
  int value = 0;      // buffer number of the value
  int gradient = -1;  // buffer number of the gradient; -1 where none is wanted
  bool has_gradient() const { return gradient >= 0; }
};

// What a slot holds in this batch.
template <class T>
View<T> value_of(const Context<T>& c, const Slot& s) {
  return c.values[static_cast<std::size_t>(s.value)];
}
template <class T>
View<T> gradient_of(const Context<T>& c, const Slot& s) {
  return c.gradients[static_cast<std::size_t>(s.gradient)];
}

// The arrays of one layer, by name.
template <class T>
struct Parameter {
  T* data = nullptr;
  std::ptrdiff_t offset = 0;  // in the flat buffer of parameters
};

template <class T>
class Lowering {
 public:
  virtual ~Lowering() = default;
  Slot input{};                   // what the layer reads; the layer puts here what it wrote
  bool training = false;          // whether there will be a backward pass
  std::ptrdiff_t batch_rows = 1;  // of the largest batch
  Home home = Home::caches;       // of the network's parameters

  virtual Parameter<T> parameter(std::string_view tensor) = 0;
  virtual T* statistic(std::string_view tensor) = 0;
  // A new buffer with a gradient of its own, where there is a backward pass.
  virtual Slot new_slot(std::ptrdiff_t columns) = 0;
  // A new value that shares the gradient of `like`: for operations that turn dy into dx in place.
  virtual Slot new_value(Slot like) = 0;
  // For one of several readers of a value: a gradient of its own, which somebody has to add to that of
  // `shared`, and nobody writes over the value. Goes on as trainable as `shared` is.
  virtual Slot branch(Slot shared) = 0;
  // Adds the operations of a layer inside this one.
  virtual void lower(const Layer& inner) = 0;
  virtual void add(std::unique_ptr<Op<T>> op) = 0;
  // Set by an operation that adds something trainable: what follows needs gradients.
  virtual void now_trainable() = 0;
};

}  // namespace deltarule::engine
