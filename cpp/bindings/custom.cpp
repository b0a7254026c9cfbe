// Python functions as activations, losses, update rules and layers. They get copies: what a function keeps
// stays valid.
#include <deltarule/custom.h>
#include <deltarule/engine/machine.h>

#include "common.h"

namespace deltarule::bindings {
namespace {

// Destroyed by any thread, and not at all when Python is gone.
struct Held {
  explicit Held(py::object o) : object(std::move(o)) {}
  Held(const Held&) = delete;
  ~Held() {
    if (!Py_IsInitialized()) {
      object.release();
      return;
    }
    const py::gil_scoped_acquire acquire;
    object = py::object();
  }
  py::object object;
};
using Function = std::shared_ptr<const Held>;

Function hold(const py::object& o) { return std::make_shared<const Held>(o); }

using Shape2 = std::vector<py::ssize_t>;

template <class T>
py::array_t<T> copy_of(const T* data, std::ptrdiff_t rows, std::ptrdiff_t columns, std::ptrdiff_t row) {
  py::array_t<T> out(Shape2{rows, columns});
  for (std::ptrdiff_t i = 0; i < rows; ++i)
    std::copy_n(data + i * row, columns, out.mutable_data() + i * columns);
  return out;
}

// What a function returned, of this shape and made of real numbers.
template <class T>
py::array_t<T, py::array::c_style> numbers_from(const py::object& result, const Shape2& shape,
                                                const std::string& what) {
  const py::array array = py::array::ensure(result);
  if (!array) {
    PyErr_Clear();
    throw py::type_error(what + ": a " + std::string(py::str(py::type::of(result).attr("__name__"))) +
                         ", expected an array of shape " + shape_text(shape));
  }
  if (array.dtype().kind() != 'f')
    throw py::type_error(what + ": dtype " + std::string(py::str(array.dtype())) +
                         ", expected real numbers (" + std::string(py::str(py::dtype::of<T>())) + ")");
  expect_shape(array, shape, what.c_str());
  return py::array_t<T, py::array::c_style | py::array::forcecast>(array);
}

template <class T>
void copy_to(const py::object& result, const Shape2& shape, const std::string& what, T* out) {
  const auto array = numbers_from<T>(result, shape, what);
  std::copy_n(array.data(), array.size(), out);
}

template <class T>
custom::ActivationFunctions<T> activation_functions(const std::string& name, const Function& f,
                                                    const Function& df) {
  const auto call = [](std::string what, Function function) {
    return [what = std::move(what), function](std::span<const T> x, std::span<T> y) {
      const CallPython python;
      const auto n = static_cast<py::ssize_t>(x.size());
      copy_to<T>(function->object(py::array_t<T>(n, x.data())), {n}, what, y.data());
    };
  };
  return {call("activation '" + name + "': result of the function", f),
          call("activation '" + name + "': result of the derivative", df)};
}

template <class T>
LossFunction<T> loss_function(const std::string& name, const Function& function) {
  return [what = "loss '" + name + "'", function](const LossRows<T>& in, double* value, T* gradient) {
    const CallPython python;
    const auto rows = static_cast<py::ssize_t>(in.rows), outputs = static_cast<py::ssize_t>(in.outputs);
    const py::object target = in.label ? py::object(py::array_t<std::int32_t>(rows, in.label))
                                       : py::object(copy_of(in.target, rows, in.target_row, in.target_row));
    const py::object result =
        function->object(copy_of(in.prediction, rows, outputs, in.prediction_row), target);
    if (!py::isinstance<py::tuple>(result) || py::len(result) != 2)
      throw py::type_error(what + ": returned a " +
                           std::string(py::str(py::type::of(result).attr("__name__"))) +
                           ", expected (loss, gradient)");
    const auto pair = py::cast<py::tuple>(result);
    copy_to<T>(pair[1], {rows, outputs}, what + ": gradient", gradient);
    const py::array loss = py::array::ensure(pair[0]);
    if (loss && loss.ndim() == 0) {
      // The mean over the batch: every row has it, and the gradient, of a mean too, is that of its rows.
      if (in.weight)
        throw py::value_error(what +
                              ": returned one number, so that rows cannot be weighted; expected one loss "
                              "per row where sample_weight or class_weight is given");
      std::fill_n(value, rows, py::cast<double>(py::float_(pair[0])));
      for (py::ssize_t i = 0; i < rows * outputs; ++i) gradient[i] *= static_cast<T>(rows);
      return;
    }
    PyErr_Clear();
    const auto losses = numbers_from<double>(pair[0], {rows}, what + ": loss");
    std::copy_n(losses.data(), rows, value);
  };
}

template <class T>
custom::Rule<T> rule(const std::string& name, const Function& function) {
  return [what = "optimizer '" + name + "': parameters", function](const custom::RuleArguments<T>& a) {
    const CallPython python;
    const auto n = static_cast<py::ssize_t>(a.parameters.size());
    const py::array_t<T> parameters(n, a.parameters.data());
    const py::object result =
        function->object(parameters, py::array_t<T>(n, a.gradient.data()), a.learning_rate, a.step);
    copy_to<T>(result.is_none() ? py::object(parameters) : result, {n}, what, a.parameters.data());
  };
}

// ---- layers

// What a Python layer class declares: lives as long as the process, like every registration.
struct LayerClass {
  std::string name, summary;
  std::vector<std::string> parameter_names;
  std::vector<Param> parameters;
  Entry entry;
  Function make;  // (settings) -> object with build, forward, backward
};

struct Described {
  std::string name;
  std::ptrdiff_t rows, columns;
  bool vector;
};

template <class T>
class PythonOp final : public engine::Op<T> {
 public:
  PythonOp(std::string name, Function object, engine::Slot in, engine::Slot out,
           std::vector<Described> described, std::vector<engine::Parameter<T>> parameters, bool training)
      : what_("layer '" + std::move(name) + "': "),
        object_(std::move(object)),
        in_(in),
        out_(out),
        described_(std::move(described)),
        parameters_(std::move(parameters)),
        training_(training) {
    std::size_t size = 0;
    for (const Described& d : described_) size += static_cast<std::size_t>(d.rows * d.columns);
    gradients_ = engine::Buffer<T>(size);
  }
  std::string describe() const override {
    return "Python layer " + std::to_string(in_.columns) + " -> " + std::to_string(out_.columns);
  }
  // In training Python is called once a batch; in inference by whoever runs the rows.
  bool needs_batch() const override { return training_; }
  void forward(const engine::Context<T>& c, const engine::Tile& tile) override {
    if (!training_) run(c, tile.begin, tile.rows(), false);
  }
  void combine(const engine::Context<T>& c) override { run(c, 0, c.rows, c.training); }
  void backward(const engine::Context<T>&, const engine::Tile&) override {}
  void combine_backward(const engine::Context<T>& c) override {
    const CallPython python;
    const auto x = engine::value_of(c, in_), y = engine::value_of(c, out_);
    const auto dy = engine::gradient_of(c, out_);
    const py::object result = object_->object.attr("backward")(
        copy_of(x.at(0), c.rows, in_.columns, x.row), copy_of(y.at(0), c.rows, out_.columns, y.row),
        copy_of(dy.at(0), c.rows, out_.columns, dy.row), arrays());
    if (!py::isinstance<py::tuple>(result) || py::len(result) != 2)
      throw py::type_error(what_ + "backward returned a " +
                           std::string(py::str(py::type::of(result).attr("__name__"))) +
                           ", expected (gradient of x, {name: gradient})");
    const auto pair = py::cast<py::tuple>(result);
    if (in_.has_gradient()) {
      const auto dx = engine::gradient_of(c, in_);
      const auto given = numbers_from<T>(pair[0], {c.rows, in_.columns}, what_ + "gradient of x");
      for (std::ptrdiff_t i = 0; i < c.rows; ++i)
        std::copy_n(given.data() + i * in_.columns, in_.columns, dx.at(i));
    }
    T* to = gradients_.data();
    for (const Described& d : described_) {
      const py::str key(d.name);
      if (!pair[1].contains(key))
        throw py::value_error(what_ + "backward gave no gradient of '" + d.name + "'");
      copy_to<T>(py::object(pair[1][key]), shape_of(d), what_ + "gradient of '" + d.name + "'", to);
      to += d.rows * d.columns;
    }
  }
  int weight_tasks() const override { return described_.empty() ? 0 : 1; }
  void weight_task(const engine::Context<T>& c, int) override {
    const T* g = gradients_.data();
    for (std::size_t i = 0; i < described_.size(); ++i) {
      const std::ptrdiff_t count = described_[i].rows * described_[i].columns;
      engine::finish_gradient(*this, *c.update, parameters_[i].offset, count, g);
      g += count;
    }
  }

 private:
  static Shape2 shape_of(const Described& d) {
    return d.vector ? Shape2{d.columns} : Shape2{d.rows, d.columns};
  }
  py::dict arrays() const {
    py::dict out;
    for (std::size_t i = 0; i < described_.size(); ++i) {
      py::array_t<T> array(shape_of(described_[i]));
      std::copy_n(parameters_[i].data, array.size(), array.mutable_data());
      out[py::str(described_[i].name)] = array;
    }
    return out;
  }
  void run(const engine::Context<T>& c, std::ptrdiff_t begin, std::ptrdiff_t rows, bool training) {
    const CallPython python;
    const auto x = engine::value_of(c, in_), y = engine::value_of(c, out_);
    const auto given = numbers_from<T>(
        object_->object.attr("forward")(copy_of(x.at(begin), rows, in_.columns, x.row), arrays(), training),
        {rows, out_.columns}, what_ + "result of forward");
    for (std::ptrdiff_t i = 0; i < rows; ++i)
      std::copy_n(given.data() + i * out_.columns, out_.columns, y.at(begin + i));
  }

  std::string what_;
  Function object_;
  engine::Slot in_, out_;
  std::vector<Described> described_;
  std::vector<engine::Parameter<T>> parameters_;
  bool training_;
  engine::Buffer<T> gradients_;
};

class PythonLayer final : public Layer {
 public:
  PythonLayer(const LayerClass& of, const LayerSpec& spec) : Layer(of.entry, spec) {
    const py::gil_scoped_acquire acquire;
    py::dict settings;
    for (const Param& p : of.parameters)
      settings[py::str(std::string(p.name))] = value_of(p, value(p.name), {});
    object_ = hold(of.make->object(settings));
  }
  std::unique_ptr<Layer> clone() const override { return std::make_unique<PythonLayer>(*this); }
  std::ptrdiff_t build(std::ptrdiff_t input_width) override {
    const py::gil_scoped_acquire acquire;
    const auto built = py::cast<py::tuple>(object_->object.attr("_built")(input_width));
    tensors_.clear();
    described_.clear();
    for (const auto& item : py::cast<py::list>(built[1])) {
      const auto row = py::cast<py::tuple>(item);
      const auto shape = py::cast<std::vector<std::ptrdiff_t>>(row[1]);
      const bool vector = shape.size() == 1;
      const std::ptrdiff_t rows = vector ? 1 : shape[0], columns = shape.back();
      const auto name = py::cast<std::string>(row[0]);
      const auto settings = py::cast<py::dict>(row[3]);
      tensors_.push_back({.name = name,
                          .rows = rows,
                          .columns = columns,
                          .vector = vector,
                          .role = vector ? Role::bias : Role::weight,
                          .initializer = catalog::choose(
                              Family::initializer, {py::cast<std::string>(row[2]), settings_from(settings)}),
                          .fans = {static_cast<double>(rows), static_cast<double>(columns)}});
      described_.push_back({name, rows, columns, vector});
    }
    return py::cast<std::ptrdiff_t>(built[0]);
  }
  std::vector<Tensor> tensors() const override { return tensors_; }
  void lower(engine::Lowering<float>& lowering) const override { lower_to(lowering); }
  void lower(engine::Lowering<double>& lowering) const override { lower_to(lowering); }

 private:
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const {
    const engine::Slot in = lowering.input;
    std::vector<engine::Parameter<T>> parameters;
    for (const Described& d : described_) parameters.push_back(lowering.parameter(d.name));
    if (!described_.empty()) lowering.now_trainable();
    const engine::Slot out = lowering.new_slot(output_width());
    lowering.add(std::make_unique<PythonOp<T>>(name(), object_, in, out, described_, std::move(parameters),
                                               lowering.training && out.has_gradient()));
    lowering.input = out;
  }

  Function object_;
  std::vector<Tensor> tensors_;
  std::vector<Described> described_;
};

void add_layer(const std::string& name, const std::string& summary, const py::list& parameters,
               const py::object& make) {
  auto* of = new LayerClass{name, summary, {}, {}, {}, hold(make)};
  of->parameter_names.reserve(parameters.size());
  for (const auto& item : parameters) {
    const auto row = py::cast<py::tuple>(item);
    of->parameter_names.push_back(py::cast<std::string>(row[0]));
    const py::object value = row[1];
    const Kind kind = py::isinstance<py::bool_>(value)  ? Kind::boolean
                      : py::isinstance<py::int_>(value) ? Kind::integer
                                                        : Kind::real;
    of->parameters.push_back(
        {.name = of->parameter_names.back(), .value = py::cast<double>(value), .kind = kind});
  }
  of->entry = {
      .name = of->name, .class_name = of->name, .summary = of->summary, .parameters = of->parameters};
  custom::add_layer(of->entry,
                    [of](const LayerSpec& spec) { return std::make_unique<PythonLayer>(*of, spec); });
}

}  // namespace

void bind_custom(py::module_& m) {
  m.def("add_activation", [](const std::string& name, const py::function& f, const py::function& derivative) {
    const Function held = hold(f), slope = hold(derivative);
    custom::add_activation(name, activation_functions<float>(name, held, slope),
                           activation_functions<double>(name, held, slope));
  });
  m.def("add_loss", [](const std::string& name, const py::function& f, bool labels, bool from_logits) {
    const Function held = hold(f);
    custom::add_loss(name, loss_function<float>(name, held), loss_function<double>(name, held),
                     {.target = labels ? Target::label : Target::values, .from_logits = from_logits});
  });
  m.def("add_optimizer", [](const std::string& name, const py::function& f, double learning_rate) {
    const Function held = hold(f);
    custom::add_optimizer(name, rule<float>(name, held), rule<double>(name, held), learning_rate);
  });
  m.def("add_layer", &add_layer);
}

}  // namespace deltarule::bindings
