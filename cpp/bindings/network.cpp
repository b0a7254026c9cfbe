#include <deltarule/export_c.h>

#include "models.h"

namespace deltarule::bindings {
namespace {

using namespace py::literals;

template <class F>
decltype(auto) with(const PyNetwork& n, F&& f) {
  return std::visit([&](const auto& box) { return f(*box); }, n.box);
}

void require_built(const PyNetwork& n, const char* operation) {
  with(n, [&](auto& b) {
    if (!b.network.built())
      throw std::runtime_error(std::string(operation) +
                               ": the network is not built; call build(input_width) first");
  });
}

PyNetwork make_network(const std::string& description, const std::string& dtype) {
  const NetworkSpec spec = network_spec_from_json(description);
  if (dtype == "float32") return {std::make_shared<NetworkBox<float>>(Network<float>(spec))};
  if (dtype == "float64") return {std::make_shared<NetworkBox<double>>(Network<double>(spec))};
  throw py::value_error("dtype = '" + dtype + "' is not allowed; allowed: 'float32', 'float64'");
}

// A NumPy array on memory that `owner` keeps alive.
template <class T>
py::array view(T* data, std::vector<py::ssize_t> shape, const py::object& owner) {
  return py::array_t<T>(std::move(shape), data, owner);
}

template <class T>
py::array tensor_view(T* base, const Tensor& t, const py::object& owner) {
  return view(base + t.offset, t.shape(), owner);
}

py::dict tensors(const py::object& self, bool trained, bool gradients) {
  const auto& n = py::cast<const PyNetwork&>(self);
  py::dict out;
  with(n, [&](auto& b) {
    auto* base = gradients ? b.network.gradients().data()
                 : trained ? b.network.parameters().data()
                           : b.network.statistics().data();
    for (const Tensor& t : b.network.tensors())
      if (t.trained() == trained) out[py::str(t.name)] = tensor_view(base, t, self);
  });
  return out;
}

std::string complaint_of(const PyNetwork& n, const std::string& name, const py::array& values) {
  return with(n, [&]<class B>(B& b) {
    using T = typename B::Scalar;
    const auto& all = b.network.tensors();
    const auto t = std::ranges::find(all, name, &Tensor::name);
    if (t == all.end()) throw py::key_error(name);
    return complaint(t->allowed,
                     std::span(numbers<T>(values, "values"), static_cast<std::size_t>(values.size())));
  });
}

template <class T>
const T* input_rows(const py::array& x, std::ptrdiff_t width, const char* name) {
  if (x.ndim() != 2 || x.shape(1) != width)
    throw py::value_error(std::string(name) + ": shape " + shape_text(x) + ", expected (rows, " +
                          std::to_string(width) + ")");
  return numbers<T>(x, name);
}

void predict(const PyNetwork& n, const py::array& x, py::array out) {
  require_built(n, "predict");
  with(n, [&]<class B>(B& b) {
    using T = typename B::Scalar;
    const T* from = input_rows<T>(x, b.network.input_width(), "X");
    expect_shape(out, {x.shape(0), b.network.output_width()}, "out");
    T* to = writable<T>(out, "out");
    const py::ssize_t rows = x.shape(0), size = sizeof(T);
    if (rows == 0) return;
    if (overlap(to, rows * b.network.output_width() * size, from, rows * b.network.input_width() * size))
      throw py::value_error("predict: out shares memory with X; allowed: an array of its own");
    const py::gil_scoped_release release;
    b.predict(from, to, rows);
  });
}

void write_c(const PyNetwork& n, const std::string& path, const std::string& prefix,
             const std::string& comment, const py::object& test_inputs) {
  require_built(n, "export_c");
  with(n, [&]<class B>(B& b) {
    using T = typename B::Scalar;
    ExportOptions<T> options{.prefix = prefix, .comment = comment};
    py::array rows;
    if (!test_inputs.is_none()) {
      rows = py::cast<py::array>(test_inputs);
      options.test_inputs = {input_rows<T>(rows, b.network.input_width(), "test_inputs"),
                             static_cast<std::size_t>(rows.size())};
    }
    const py::gil_scoped_release release;
    deltarule::export_c(path, b.network, options);
  });
}

py::array forward(const PyNetwork& n, const py::array& x, bool training) {
  require_built(n, "forward");
  return with(n, [&]<class B>(B& b) -> py::array {
    using T = typename B::Scalar;
    const T* from = input_rows<T>(x, b.network.input_width(), "X");
    if (x.shape(0) == 0) throw py::value_error("forward: X has no rows");
    py::array_t<T> out({x.shape(0), static_cast<py::ssize_t>(b.network.output_width())});
    T* to = out.mutable_data();
    const py::gil_scoped_release release;
    b.forward(from, to, x.shape(0), training);
    return out;
  });
}

py::array backward(const PyNetwork& n, const py::array& dy) {
  return with(n, [&]<class B>(B& b) -> py::array {
    using T = typename B::Scalar;
    if (b.rows == 0) throw py::value_error("backward: no forward(X, training=True) came before");
    expect_shape(dy, {b.rows, b.network.output_width()}, "gradient");
    const T* from = numbers<T>(dy, "gradient");
    py::array_t<T> out({static_cast<py::ssize_t>(b.rows), static_cast<py::ssize_t>(b.network.input_width())});
    T* to = out.mutable_data();
    const py::gil_scoped_release release;
    b.backward(from, to);
    return out;
  });
}

// A layer is followed by those inside it; their parameters count in both.
void describe(const Chain& chain, const std::string& outer, const std::vector<Tensor>& tensors,
              py::list& out) {
  for (const auto& layer : chain) {
    const std::string name = outer + layer->name();
    std::ptrdiff_t parameters = 0;
    for (const Tensor& t : tensors)
      if (t.trained() && (t.layer == name || t.layer.starts_with(name + "."))) parameters += t.size();
    out.append(py::dict("name"_a = name, "type"_a = layer->entry().name,
                        "output_width"_a = layer->output_width(), "parameters"_a = parameters,
                        "activation"_a = layer->activation().name(), "summary"_a = layer->entry().summary));
    for (const Chain& inner : layer->inside()) describe(inner, name + ".", tensors, out);
  }
}

py::list layers(const PyNetwork& n) {
  py::list out;
  with(n, [&](auto& b) { describe(b.network.layers(), {}, b.network.tensors(), out); });
  return out;
}

}  // namespace

void bind_models(py::module_& m) {
  py::class_<PyNetwork>(m, "Network")
      .def(py::init(&make_network), "description"_a, "dtype"_a = "float32")
      .def("build",
           [](PyNetwork& n, std::ptrdiff_t width) { with(n, [&](auto& b) { b.network.build(width); }); })
      .def_property_readonly(
          "built", [](const PyNetwork& n) { return with(n, [](auto& b) { return b.network.built(); }); })
      .def_property_readonly("dtype",
                             [](const PyNetwork& n) { return n.box.index() == 0 ? "float32" : "float64"; })
      .def_property_readonly(
          "input_width",
          [](const PyNetwork& n) { return with(n, [](auto& b) { return b.network.input_width(); }); })
      .def_property_readonly(
          "output_width",
          [](const PyNetwork& n) { return with(n, [](auto& b) { return b.network.output_width(); }); })
      .def_property_readonly(
          "parameter_count",
          [](const PyNetwork& n) { return with(n, [](auto& b) { return b.network.parameters().size(); }); })
      .def("description",
           [](const PyNetwork& n) { return with(n, [](auto& b) { return to_json(b.network.spec()); }); })
      .def("layers", &layers)
      .def("parameters", [](const py::object& self) { return tensors(self, true, false); })
      .def("gradients", [](const py::object& self) { return tensors(self, true, true); })
      .def("states", [](const py::object& self) { return tensors(self, false, false); })
      .def("complaint", &complaint_of, "name"_a, "values"_a)
      .def("flat_parameters",
           [](const py::object& self) {
             return with(py::cast<const PyNetwork&>(self), [&](auto& b) {
               return view(b.network.parameters().data(),
                           {static_cast<py::ssize_t>(b.network.parameters().size())}, self);
             });
           })
      .def("flat_gradients",
           [](const py::object& self) {
             return with(py::cast<const PyNetwork&>(self), [&](auto& b) {
               return view(b.network.gradients().data(),
                           {static_cast<py::ssize_t>(b.network.parameters().size())}, self);
             });
           })
      .def(
          "adapt",
          [](const PyNetwork& n, const py::array& x, const py::object& rows) {
            require_built(n, "adapt");
            with(n, [&]<class B>(B& b) {
              const auto* from = input_rows<typename B::Scalar>(x, b.network.input_width(), "X");
              const std::uint32_t* index = nullptr;
              py::ssize_t count = x.shape(0);
              if (!rows.is_none()) {
                const auto chosen = py::cast<py::array>(rows);
                index = numbers<std::uint32_t>(chosen, "rows");
                count = chosen.size();
              }
              const py::gil_scoped_release release;
              b.network.adapt(count, from, x.shape(1), index);
            });
          },
          "X"_a, "rows"_a = py::none())
      .def_property_readonly(
          "adapted", [](const PyNetwork& n) { return with(n, [](auto& b) { return b.network.adapted(); }); })
      .def("set_adapted", [](const PyNetwork& n) { with(n, [](auto& b) { b.network.set_adapted(); }); })
      .def("predict", &predict)
      .def("export_c", &write_c, "path"_a, "prefix"_a, "comment"_a, "test_inputs"_a)
      .def("forward", &forward, "X"_a, "training"_a)
      .def("backward", &backward)
      .def("to_bfloat16",
           [](const PyNetwork& n) {
             require_built(n, "to_bfloat16");
             const auto& box = std::get<SharedBox<float>>(n.box);
             PyNetwork made{std::make_shared<NetworkBox<float>>(Network<float>(box->network))};
             auto& copy = *std::get<SharedBox<float>>(made.box);
             copy.sessions.use(std::make_unique<const Bfloat16Weights>(copy.network));
             return made;
           })
      .def("bfloat16_bytes",
           [](const PyNetwork& n) { return std::get<SharedBox<float>>(n.box)->sessions.rounded()->bytes(); })
      .def("copy", [](const PyNetwork& n) {
        return with(n, [](auto& b) -> PyNetwork {
          return {std::make_shared<std::decay_t<decltype(b)>>(std::decay_t<decltype(b.network)>(b.network))};
        });
      });
  bind_trainer(m);
  bind_fit_many(m);
}

}  // namespace deltarule::bindings
