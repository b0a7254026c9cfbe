// A layer: what it is called, the parameters it owns and the operations it lowers to.
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/engine/lowering.h>
#include <deltarule/initializers.h>
#include <map>
#include <memory>

namespace deltarule {

class CWriter;  // src/export_c/writer.h

// A layer as a user writes it. `parts` are its named choices: activation, initializer, ...
struct LayerSpec {
  std::string type;
  std::string name = {};
  std::vector<Setting> settings = {};
  std::map<std::string, Spec> parts = {};
  std::vector<std::vector<LayerSpec>> inside = {};  // chains of layers inside this one
};

// What the columns of a row mean to the layers that look at images: channels vary fastest.
struct Shape {
  std::ptrdiff_t height = 0, width = 0, channels = 0;
  bool known() const { return height > 0; }
  std::ptrdiff_t size() const { return height * width * channels; }
};

enum class Role { weight, bias, gain, shift, statistic };
enum class Allowed { any, not_negative, positive };  // all of them finite

// An array that a layer keeps: a parameter that is trained, or a statistic that is not.
struct Tensor {
  std::string name;
  std::ptrdiff_t rows, columns;  // a vector has one row
  bool vector = false;
  bool table = false;  // rows that are looked up or compared with, not the matrix of a product
  Role role = Role::weight;
  Allowed allowed = Allowed::any;
  Choice initializer{};
  Fans fans{1, 1};
  std::string lengths_of = {};  // array of the same layer: begins as the lengths of its columns
  std::string layer = {};
  std::ptrdiff_t offset = 0;  // in the flat buffer of parameters, or of statistics
  std::ptrdiff_t size() const { return rows * columns; }
  std::vector<std::ptrdiff_t> shape() const {
    return vector ? std::vector{columns} : std::vector{rows, columns};
  }
  bool trained() const { return role != Role::statistic; }
};

// What is wrong with numbers from outside, as the end of a sentence ("holds ..."), or nothing.
template <class T>
std::string complaint(Allowed allowed, std::span<const T> numbers);

// What its initializer draws for the array of this number in a network.
std::vector<double> initial_values(const Tensor& tensor, std::uint64_t seed, std::size_t number);

class Layer;
using Chain = std::vector<std::unique_ptr<Layer>>;  // layers one after the other

class Layer {
 public:
  Layer(const Entry& entry, const LayerSpec& spec);
  virtual ~Layer() = default;
  virtual std::unique_ptr<Layer> clone() const = 0;

  // Output width for this input width; throws std::invalid_argument when it does not fit.
  virtual std::ptrdiff_t build(std::ptrdiff_t input_width) = 0;
  // The shape of its output, where it has one; what works element by element keeps that of its input.
  virtual Shape output_shape() const { return {}; }
  // Throws std::invalid_argument when rows of the network's input are not what this layer can read; called
  // for the first layer before anything is computed.
  virtual void check_input(std::ptrdiff_t rows, const float* x, std::ptrdiff_t row) const;
  virtual void check_input(std::ptrdiff_t rows, const double* x, std::ptrdiff_t row) const;
  // Whether its input must be the network's own.
  virtual bool must_be_first() const { return false; }
  virtual std::vector<Tensor> tensors() const { return {}; }
  virtual void lower(engine::Lowering<float>& lowering) const = 0;
  virtual void lower(engine::Lowering<double>& lowering) const = 0;
  // Writes inference as C; throws std::invalid_argument where that is not possible.
  virtual void to_c(CWriter& writer) const;
  // The activation its output passes through, for "auto" initializers of the layer before; its name is empty
  // where there is none. By default that of its part "activation".
  virtual Choice activation() const;
  // Takes its part "activation" away, so that its output is what the activation would have seen.
  void forget_activation();

  virtual LayerSpec spec() const;
  virtual std::span<const Chain> inside() const { return {}; }
  // Whether its outputs are other quantities than its inputs, made out of several of them or looked up; other
  // layers pass the columns on, each by itself.
  virtual bool makes_columns() const { return !inside().empty(); }
  const Entry& entry() const { return *entry_; }
  const std::string& name() const { return name_; }
  void rename(std::string name) { name_ = std::move(name); }
  std::ptrdiff_t input_width() const { return input_width_; }
  std::ptrdiff_t output_width() const { return output_width_; }
  void set_widths(std::ptrdiff_t input, std::ptrdiff_t output) {
    input_width_ = input;
    output_width_ = output;
  }
  const Shape& input_shape() const { return input_shape_; }
  void set_input_shape(Shape shape) { input_shape_ = shape; }
  // What "auto" initializers look at: the activation that follows, and whether no layer before makes columns.
  Choice next_activation = {};
  bool reads_inputs = false;

 protected:
  double value(std::string_view parameter) const;
  std::vector<std::ptrdiff_t> whole_numbers(std::string_view parameter) const;  // of a list
  const Choice& part(std::string_view name) const;
  // The part's choice; "auto" becomes what suits the activation that follows.
  Choice initializer(std::string_view part_name) const;

 private:
  const Entry* entry_;
  std::string name_;
  Values values_;
  Lists lists_;
  std::vector<Choice> parts_;
  std::vector<std::string> part_names_;
  std::ptrdiff_t input_width_ = 0, output_width_ = 0;
  Shape input_shape_{};
};

// Makes clone() and both lower() of a layer from its template lower_to<T>(lowering).
template <class Self, class Base = Layer>
class LayerOf : public Base {
 public:
  explicit LayerOf(const LayerSpec& spec) : Base(Self::entry, spec) {}
  std::unique_ptr<Layer> clone() const override {
    return std::make_unique<Self>(static_cast<const Self&>(*this));
  }
  void lower(engine::Lowering<float>& lowering) const override {
    static_cast<const Self*>(this)->template lower_to<float>(lowering);
  }
  void lower(engine::Lowering<double>& lowering) const override {
    static_cast<const Self*>(this)->template lower_to<double>(lowering);
  }
};

// Makes the layer of this type; throws std::invalid_argument for an unknown type or setting.
std::unique_ptr<Layer> make_layer(const LayerSpec& spec);

// What a network and the layers with others inside share.
// Numbers the layers without a name ("dense_1"); throws std::invalid_argument where two have the same.
void name_layers(std::span<const Chain> chains);
// Tells every layer of a chain which activation follows it and whether it reads the network's inputs; `after`
// is the activation that follows the chain.
void link_activations(const Chain& chain, const Choice& after, bool reads_inputs);
// Sets widths and shapes; returns the last width.
std::ptrdiff_t build_chain(const Chain& chain, std::ptrdiff_t input_width, Shape input_shape = {});
// The arrays of all layers, their names and layers as seen from outside of the chain.
std::vector<Tensor> tensors_of(const Chain& chain);

}  // namespace deltarule
