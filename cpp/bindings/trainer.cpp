#include "models.h"

namespace deltarule::bindings {
namespace {

using namespace py::literals;

template <class F>
decltype(auto) with(const PyTrainer& t, F&& f) {
  return std::visit([&](const auto& box) { return f(*box); }, t.box);
}

template <class T>
std::shared_ptr<TrainerBox<T>> box_of(const SharedBox<T>& owner, std::unique_ptr<Trainer<T>> trainer) {
  auto box = std::make_shared<TrainerBox<T>>();
  box->owner = owner;
  box->trainer = std::move(trainer);
  for (const Spec& s : box->trainer->spec().metrics) box->metric_names.push_back(s.name);
  return box;
}

PyTrainer make_trainer(const PyNetwork& network, const std::string& settings) {
  const TrainerSpec spec = trainer_spec_from_json(settings);
  return std::visit(
      [&]<class T>(const SharedBox<T>& owner) -> PyTrainer {
        return {box_of<T>(owner, std::make_unique<Trainer<T>>(owner->network, spec))};
      },
      network.box);
}

template <class T>
py::dict figures_dict(const TrainerBox<T>& b, const Figures& f) {
  py::dict out;
  put_figures(b, f, out);
  return out;
}

thread_local const std::function<bool()>* stop_instead = nullptr;

py::dict run_epoch(const PyTrainer& t, std::int64_t epoch, std::ptrdiff_t max_steps,
                   std::ptrdiff_t start_step) {
  return with(t, [&]<class T>(TrainerBox<T>& b) {
    if (b.data.rows == 0) throw py::value_error("run_epoch: no data; call set_data first");
    if (stop_instead && (*stop_instead)())
      raise_if_signalled(true);  // short epochs end before they would ask
    EpochResult result;
    {
      const py::gil_scoped_release release;
      result = b.trainer->run_epoch(b.data, {.epoch = epoch,
                                             .batch_size = b.batch_size,
                                             .shuffle = b.shuffle,
                                             .first_step = start_step,
                                             .max_steps = max_steps,
                                             .poll = &signalled});
    }
    raise_if_signalled(result.stopped);
    py::dict out = figures_dict(b, result.figures);
    out["learning_rate"] = result.learning_rate;
    out["steps"] = result.steps;
    out["seconds"] = result.seconds;
    out["stopped"] = result.stopped;
    out["stop_reason"] = result.stop_reason;
    return out;
  });
}

py::dict evaluate(const PyTrainer& t, const py::array& x, const py::array& y, const py::object& weight,
                  std::ptrdiff_t batch_size, const py::object& index) {
  return with(t, [&]<class T>(TrainerBox<T>& b) {
    const Data<T> data = data_of(b.owner->network, b.trainer->loss(), x, y, weight, index);
    Figures f;
    bool stopped = false;
    {
      const py::gil_scoped_release release;
      f = b.trainer->evaluate(data, batch_size, [&] { return stopped = stopped || signalled(); });
    }
    raise_if_signalled(stopped);
    return figures_dict(b, f);
  });
}

py::dict states(const py::object& self) {
  py::dict out;
  with(py::cast<const PyTrainer&>(self), [&]<class T>(TrainerBox<T>& b) {
    for (auto& state : b.trainer->layer_states())
      out[py::str(state.name)] = py::array_t<T>(state.shape, state.data.data(), self);
    for (const Tensor& tensor : b.owner->network.tensors()) {
      if (!tensor.trained()) continue;
      for (int i = 0; i < b.trainer->state_count(); ++i)
        out[py::str(tensor.name + "." + std::string(b.trainer->state_name(i)))] =
            py::array_t<T>(tensor.shape(), b.trainer->state(i).data() + tensor.offset, self);
    }
  });
  return out;
}

void save_model(const std::string& path, const PyNetwork& network, const py::object& trainer,
                const std::string& extra) {
  std::visit(
      [&]<class T>(const SharedBox<T>& owner) {
        const Trainer<T>* with_state = nullptr;
        if (!trainer.is_none()) {
          const auto* box =
              std::get_if<std::shared_ptr<TrainerBox<T>>>(&py::cast<const PyTrainer&>(trainer).box);
          if (!box || (*box)->owner != owner)
            throw py::value_error("save: the trainer belongs to another network");
          with_state = (*box)->trainer.get();
        }
        const py::gil_scoped_release release;
        save(path, owner->network, with_state, extra);
      },
      network.box);
}

template <class T>
py::tuple load_as(const std::string& path) {
  Model<T> model = [&] {
    const py::gil_scoped_release release;
    return load_model<T>(path);
  }();
  // The trainer refers to the network, so the network moves into its box before a trainer is made for it.
  const TrainerSpec spec = model.trainer ? model.trainer->spec() : TrainerSpec{};
  auto owner = std::make_shared<NetworkBox<T>>(std::move(*model.network));
  py::object trainer = py::none();
  if (model.trainer) {
    auto moved = std::make_unique<Trainer<T>>(owner->network, spec);
    moved->set_steps_done(model.trainer->steps_done());
    moved->set_averaged(model.trainer->averaged());
    for (int i = 0; i < moved->state_count(); ++i)
      std::copy(model.trainer->state(i).begin(), model.trainer->state(i).end(), moved->state(i).begin());
    for (std::size_t i = 0; i < moved->layer_states().size(); ++i)
      moved->layer_states()[i].data = model.trainer->layer_states()[i].data;
    trainer = py::cast(PyTrainer{box_of<T>(owner, std::move(moved))});
  }
  return py::make_tuple(PyNetwork{owner}, trainer, model.extra);
}

}  // namespace

// Signals are looked at while C++ works; the handler's exception is raised when the work has stopped.
bool signalled() {
  if (stop_instead) return (*stop_instead)();
  const CallPython python;
  return PyErr_CheckSignals() != 0;
}

void raise_if_signalled(bool stopped) {
  if (stopped && !PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
  if (PyErr_Occurred()) throw py::error_already_set();
}

StopInstead::StopInstead(const std::function<bool()>* stop) : outer_(std::exchange(stop_instead, stop)) {}
const std::function<bool()>* StopInstead::current() { return stop_instead; }
StopInstead::~StopInstead() { stop_instead = outer_; }

void bind_trainer(py::module_& m) {
  py::class_<PyTrainer>(m, "Trainer")
      .def(py::init(&make_trainer), "network"_a, "settings"_a)
      .def(
          "set_data",
          [](const PyTrainer& t, const py::array& x, const py::array& y, const py::object& weight,
             std::ptrdiff_t batch_size, bool shuffle, const py::object& index) {
            with(t, [&]<class T>(TrainerBox<T>& b) {
              b.data = data_of(b.owner->network, b.trainer->loss(), x, y, weight, index);
              b.index = index;
              b.x = x;
              b.y = y;
              b.weight = weight;
              b.batch_size = batch_size;
              b.shuffle = shuffle;
            });
          },
          "X"_a, "y"_a, "weight"_a, "batch_size"_a, "shuffle"_a, "rows"_a = py::none())
      .def("check_rows",
           [](const PyTrainer& t, const py::array& x, const py::array& y, const py::object& weight,
              const py::object& index) {
             with(t, [&]<class T>(TrainerBox<T>& b) {
               b.trainer->check_data(data_of(b.owner->network, b.trainer->loss(), x, y, weight, index));
             });
           })
      .def("clear_data",
           [](const PyTrainer& t) {
             with(t, []<class T>(TrainerBox<T>& b) {
               b.data = {};
               b.x = b.y = b.weight = b.index = py::none();
             });
           })
      .def("run_epoch", &run_epoch, "epoch"_a, "max_steps"_a = 0, "start_step"_a = 0)
      .def("train_on_batch",
           [](const PyTrainer& t, const py::array& x, const py::array& y, const py::object& weight) {
             return with(t, [&]<class T>(TrainerBox<T>& b) {
               const Data<T> data = data_of(b.owner->network, b.trainer->loss(), x, y, weight);
               Figures f;
               {
                 const py::gil_scoped_release release;
                 f = b.trainer->step(data);
               }
               return figures_dict(b, f);
             });
           })
      .def("evaluate", &evaluate, "X"_a, "y"_a, "weight"_a = py::none(), "batch_size"_a = 0,
           "rows"_a = py::none())
      .def("release_memory",
           [](const PyTrainer& t) { with(t, [](auto& b) { b.trainer->release_memory(); }); })
      .def_property(
          "step", [](const PyTrainer& t) { return with(t, [](auto& b) { return b.trainer->steps_done(); }); },
          [](const PyTrainer& t, std::int64_t step) {
            with(t, [&](auto& b) { b.trainer->set_steps_done(step); });
          })
      .def_property(
          "averaged",
          [](const PyTrainer& t) { return with(t, [](auto& b) { return b.trainer->averaged(); }); },
          [](const PyTrainer& t, std::int64_t count) {
            with(t, [&](auto& b) { b.trainer->set_averaged(count); });
          })
      .def_property(
          "learning_rate",
          [](const PyTrainer& t) { return with(t, [](auto& b) { return b.trainer->learning_rate(); }); },
          [](const PyTrainer& t, double rate) {
            with(t, [&](auto& b) { b.trainer->set_learning_rate(rate); });
          })
      .def("set_rates",
           [](const PyTrainer& t, const std::vector<double>& rates) {
             with(t, [&](auto& b) { b.trainer->set_rates(rates); });
           })
      .def("states", &states)
      .def("settings",
           [](const PyTrainer& t) { return with(t, [](auto& b) { return to_json(b.trainer->spec()); }); })
      .def("explain_plan",
           [](const PyTrainer& t, std::ptrdiff_t batch_size) {
             return with(t, [&](auto& b) { return b.trainer->explain_plan(batch_size); });
           })
      .def("phase_costs", [](const PyTrainer& t, std::ptrdiff_t batch_size, int most) {
        return with(t, [&](auto& b) {
          const auto plan = b.trainer->plan(batch_size, most);
          std::vector<std::pair<int, double>> costs;  // tasks and FLOP
          for (const auto& c : plan.costs()) costs.emplace_back(c.tasks, c.flops);
          return std::pair{plan.threads(), costs};
        });
      });
  m.def("save", &save_model, "path"_a, "network"_a, "trainer"_a, "extra"_a);
  m.def("load", [](const std::string& path) {
    return stored_type(path) == "float32" ? load_as<float>(path) : load_as<double>(path);
  });
}

}  // namespace deltarule::bindings
