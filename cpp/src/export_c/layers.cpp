// What every layer does at inference, as C.
#include <deltarule/layers.h>
#include <cmath>

#include "../layers/columns.h"
#include "writer.h"

namespace deltarule {
namespace {

// Sums run as in the library: blocks of 384 terms, in order, the bias last.
void dense(CWriter& writer, const std::string& weight, const std::string& bias, std::ptrdiff_t inputs,
           std::ptrdiff_t outputs) {
  writer.function("dense",
                  "void dense(size_t inputs, size_t outputs, const real *w, const real *b, const real *x, "
                  "real *y)",
                  "size_t first, i, j, k;\n"
                  "for (first = 0; first < inputs; first += 384) {\n"
                  "  const size_t last = inputs - first < 384 ? inputs : first + 384;\n"
                  "  for (j = 0; j + 8 <= outputs; j += 8) {\n"
                  "    real s[8] = {0};\n"
                  "    for (i = first; i < last; ++i)\n"
                  "      for (k = 0; k < 8; ++k) s[k] += x[i] * w[i * outputs + j + k];\n"
                  "    for (k = 0; k < 8; ++k) y[j + k] = (first > 0 ? y[j + k] : b ? b[j + k] : 0) + s[k];\n"
                  "  }\n"
                  "  for (j = outputs - outputs % 8; j < outputs; ++j) {\n"
                  "    real s = 0;\n"
                  "    for (i = first; i < last; ++i) s += x[i] * w[i * outputs + j];\n"
                  "    y[j] = (first > 0 ? y[j] : b ? b[j] : 0) + s;\n"
                  "  }\n"
                  "}");
  const int from = writer.input, to = writer.new_value(outputs);
  writer.call("dense", c_arguments({inputs, outputs}) + weight + ", " + bias + ", ", from, to);
  writer.cost.multiplications += inputs * outputs;
  writer.cost.additions += inputs * outputs + (inputs + 383) / 384 * outputs;
  writer.input = to;
}

void elementwise(CWriter& writer, const std::string& name, const std::string& arguments) {
  const int from = writer.input, to = writer.target(from);
  writer.call(name, std::to_string(writer.width(from)) + ", " + arguments, from, to);
  writer.input = to;
}

// Columns that pass through come first; returns how many there are.
std::ptrdiff_t pass_others(CWriter& writer, std::ptrdiff_t width, const std::vector<std::ptrdiff_t>& chosen,
                           int from, int to) {
  const auto others = engine::OtherColumns(width, chosen).list();
  const auto count = static_cast<std::ptrdiff_t>(others.size());
  if (count > 0) {
    const std::string columns = writer.indices("others", others);
    const bool small = others.back() < 65536;
    writer.call(small ? "gather_16" : "gather_32", c_arguments({count}) + columns + ", ", from, to);
  }
  return count;
}

}  // namespace

void Layer::to_c(CWriter&) const {
  throw std::invalid_argument("export_c: layer '" + name_ + "' (" + std::string(entry_->name) +
                              ") is not of the catalogue and cannot be written as C; allowed: the "
                              "catalogue's layers");
}

void Dense::to_c(CWriter& writer) const {
  const std::string weight = writer.constant("weight"), bias = writer.constant_or_null("bias");
  dense(writer, weight, bias, input_width(), output_width());
  writer.input = writer.activation(part("activation"), writer.input);
}

// The lengths are worked into the weights.
void WeightNorm::to_c(CWriter& writer) const {
  const auto& inner = static_cast<const Dense&>(*inside()[0][0]);
  std::vector<double> w = writer.array(inner.name() + ".weight");
  const std::vector<double>& gain = writer.array("gain");
  const std::size_t units = gain.size();
  for (std::size_t j = 0; j < units; ++j) {
    double squares = 0;
    for (std::size_t i = j; i < w.size(); i += units) squares += w[i] * w[i];
    for (std::size_t i = j; i < w.size(); i += units) w[i] *= squares > 0 ? gain[j] / std::sqrt(squares) : 0;
  }
  const std::string weight = writer.constant("weight", w),
                    bias = writer.constant_or_null(inner.name() + ".bias");
  dense(writer, weight, bias, input_width(), output_width());
  writer.input = writer.activation(activation(), writer.input);
}

void Activation::to_c(CWriter& writer) const {
  writer.input = writer.activation(part("activation"), writer.input);
}

void Dropout::to_c(CWriter&) const {}
void AlphaDropout::to_c(CWriter&) const {}
void GaussianNoise::to_c(CWriter&) const {}
void Reshape::to_c(CWriter&) const {}

void Standardize::to_c(CWriter& writer) const {
  writer.function(
      "standardize",
      "void standardize(size_t n, const real *mean, const real *deviation, const real *x, real *y)",
      "size_t i;\nfor (i = 0; i < n; ++i) y[i] = (x[i] - mean[i]) / deviation[i];");
  const std::string mean = writer.constant("mean"), deviation = writer.constant("deviation");
  elementwise(writer, "standardize", mean + ", " + deviation + ", ");
  writer.cost.additions += input_width();
  writer.cost.divisions += input_width();
}

void BatchNorm::to_c(CWriter& writer) const {
  writer.function("affine",
                  "void affine(size_t n, const real *mean, const real *scale, const real *shift, const real "
                  "*x, real *y)",
                  "size_t i;\nfor (i = 0; i < n; ++i) y[i] = (x[i] - mean[i]) * scale[i] + shift[i];");
  std::vector<double> scale = writer.array("gain");
  const auto& variance = writer.array("running_variance");
  for (std::size_t i = 0; i < scale.size(); ++i) scale[i] /= std::sqrt(variance[i] + value("epsilon"));
  const std::string mean = writer.constant("running_mean"), factor = writer.constant("scale", scale),
                    shift = writer.constant("shift");
  elementwise(writer, "affine", mean + ", " + factor + ", " + shift + ", ");
  writer.cost.additions += 2 * input_width();
  writer.cost.multiplications += input_width();
}

void LayerNorm::to_c(CWriter& writer) const {
  writer.function(
      "layer_norm",
      "void layer_norm(size_t n, real epsilon, const real *gain, const real *shift, const real *x, "
      "real *y)",
      "size_t i;\n"
      "real mean = 0, square = 0, scale;\n"
      "for (i = 0; i < n; ++i) mean += x[i] - x[0];\n"
      "mean = x[0] + mean / (real)n;\n"
      "for (i = 0; i < n; ++i) square += (x[i] - mean) * (x[i] - mean);\n"
      "scale = 1 / sqrt(square / (real)n + epsilon);\n"
      "for (i = 0; i < n; ++i) y[i] = (x[i] - mean) * scale * gain[i] + shift[i];");
  const std::string gain = writer.constant("gain"), shift = writer.constant("shift");
  const int from = writer.input, to = writer.new_value(input_width());  // x[0] is read to the end
  writer.call(
      "layer_norm",
      c_arguments({input_width()}) + writer.number(value("epsilon")) + ", " + gain + ", " + shift + ", ",
      from, to);
  writer.input = to;
  writer.cost.additions += 7 * input_width() + 2;
  writer.cost.multiplications += 3 * input_width();
  writer.cost.divisions += 3;
  writer.evaluates("sqrt", 1);
}

void RMSNorm::to_c(CWriter& writer) const {
  writer.function("rms_norm",
                  "void rms_norm(size_t n, real epsilon, const real *gain, const real *x, real *y)",
                  "size_t i;\n"
                  "real square = 0, scale;\n"
                  "for (i = 0; i < n; ++i) square += x[i] * x[i];\n"
                  "scale = 1 / sqrt(square / (real)n + epsilon);\n"
                  "for (i = 0; i < n; ++i) y[i] = x[i] * scale * gain[i];");
  const std::string gain = writer.constant("gain");
  elementwise(writer, "rms_norm", writer.number(value("epsilon")) + ", " + gain + ", ");
  writer.cost.additions += input_width() + 1;
  writer.cost.multiplications += 3 * input_width();
  writer.cost.divisions += 2;
  writer.evaluates("sqrt", 1);
}

void Embedding::to_c(CWriter& writer) const {
  const auto columns = whole_numbers("columns"), cardinalities = whole_numbers("cardinalities");
  const auto dimension = static_cast<std::ptrdiff_t>(value("dimension"));
  writer.function("look_up",
                  "void look_up(size_t column, size_t rows, size_t n, size_t place, const real *table, const "
                  "real *x, real *y)",
                  "/* NaN where the input is no index: a whole number from 0 to rows - 1 */\n"
                  "const real given = x[column];\n"
                  "const size_t row = given >= 0 && given < (real)rows ? (size_t)given : rows;\n"
                  "size_t i;\n"
                  "for (i = 0; i < n; ++i)\n"
                  "  y[place + i] = row < rows && (real)row == given ? table[row * n + i] : (real)NAN;");
  const int from = writer.input, to = writer.new_value(output_width());
  std::ptrdiff_t place = pass_others(writer, input_width(), columns, from, to);
  for (std::size_t k = 0; k < columns.size(); ++k, place += dimension)
    writer.call("look_up",
                c_arguments({columns[k], cardinalities[k], dimension, place}) +
                    writer.constant("table_" + std::to_string(columns[k])) + ", ",
                from, to);
  writer.input = to;
}

void PeriodicEmbedding::to_c(CWriter& writer) const {
  writer.function(
      "periodic",
      "void periodic(size_t column, size_t n, size_t place, const real *frequency, const real *x, "
      "real *y)",
      "/* whole turns are taken off before the factor 2 pi, which would round them */\n"
      "size_t i;\n"
      "for (i = 0; i < n; ++i) {\n"
      "  const real turns = x[column] * frequency[i];\n"
      "  const real angle = (turns - nearbyint(turns)) * 6.283185307179586;\n"
      "  y[place + i] = sin(angle);\n"
      "  y[place + n + i] = cos(angle);\n"
      "}");
  const auto columns = chosen(input_width());
  const auto count = static_cast<std::ptrdiff_t>(value("frequencies"));
  const int from = writer.input, to = writer.new_value(output_width());
  const std::ptrdiff_t others = pass_others(writer, input_width(), columns, from, to);
  const std::string frequency = writer.constant("frequency");
  for (std::size_t k = 0; k < columns.size(); ++k) {
    const auto number = static_cast<std::ptrdiff_t>(k);
    writer.call("periodic",
                c_arguments({columns[k], count, others + 2 * count * number}) + frequency + " + " +
                    std::to_string(count * number) + ", ",
                from, to);
  }
  const std::ptrdiff_t angles = count * static_cast<std::ptrdiff_t>(columns.size());
  writer.cost.multiplications += 2 * angles;
  writer.cost.additions += angles;
  for (const char* name : {"nearbyint", "sin", "cos"}) writer.evaluates(name, angles);
  writer.input = to;
}

void RBF::to_c(CWriter& writer) const {
  writer.function(
      "rbf",
      "void rbf(size_t inputs, size_t units, const real *centre, const real *inverse_width, const "
      "real *b, const real *x, real *y)",
      "size_t i, j;\n"
      "for (i = 0; i < units; ++i) {\n"
      "  real sum = b ? b[i] : 0;\n"
      "  for (j = 0; j < inputs; ++j) {\n"
      "    const real u = (x[j] - centre[j * units + i]) * inverse_width[i];\n"
      "    sum += exp(-0.5 * u * u);\n"
      "  }\n"
      "  y[i] = sum;\n"
      "}");
  std::vector<double> inverse = writer.array("log_width");
  for (double& s : inverse) s = std::exp(-s) / value("width");
  const std::string centre = writer.constant("centre"), width = writer.constant("inverse_width", inverse),
                    bias = writer.constant_or_null("bias");
  const int from = writer.input, to = writer.new_value(output_width());
  writer.call("rbf",
              c_arguments({input_width(), output_width()}) + centre + ", " + width + ", " + bias + ", ", from,
              to);
  writer.input = to;
  const std::ptrdiff_t kernels = input_width() * output_width();
  writer.cost.additions += 2 * kernels;
  writer.cost.multiplications += 3 * kernels;
  writer.evaluates("exp", kernels);
}

void PReLU::to_c(CWriter& writer) const {
  writer.function("prelu", "void prelu(size_t n, size_t step, const real *alpha, const real *x, real *y)",
                  "size_t i;\nfor (i = 0; i < n; ++i) y[i] = x[i] > 0 ? x[i] : alpha[i * step] * x[i];");
  const std::string alpha = writer.constant("alpha");
  elementwise(writer, "prelu", (value("shared") != 0 ? "0, " : "1, ") + alpha + ", ");
  writer.evaluates("prelu", input_width());
}

void LearnedSwish::to_c(CWriter& writer) const {
  writer.function("learned_swish",
                  "void learned_swish(size_t n, size_t step, const real *beta, const real *x, real *y)",
                  "size_t i;\n"
                  "for (i = 0; i < n; ++i) {\n"
                  "  const real z = beta[i * step] * x[i], e = exp_minus(beta[i * step], 0, x[i]);\n"
                  "  y[i] = e == 0 ? (z > 0 ? x[i] : 0) : x[i] * ((z < 0 ? e : 1) / (1 + e));\n"
                  "}");
  const std::string beta = writer.constant("beta");
  elementwise(writer, "learned_swish", (value("shared") != 0 ? "0, " : "1, ") + beta + ", ");
  writer.evaluates("learned_swish", input_width());
}

void AdaptiveReLU::to_c(CWriter& writer) const {
  writer.function(
      "adaptive_relu",
      "void adaptive_relu(size_t n, const real *steepness, const real *offset, const real *x, real "
      "*y)",
      "size_t i;\n"
      "for (i = 0; i < n; ++i) {\n"
      "  const real p = steepness[i] * x[i], z = p + offset[i], part = z - p;\n"
      "  const real rest = (p - (z - part)) + (offset[i] - part) + fma(steepness[i], x[i], -p);\n"
      "  y[i] = x[i] > 0 ? x[i] : x[i] * logistic(z, rest);\n"
      "}");
  const std::string steepness = writer.constant("steepness"), offset = writer.constant("offset");
  elementwise(writer, "adaptive_relu", steepness + ", " + offset + ", ");
  writer.evaluates("adaptive_relu", input_width());
}

namespace {

void merge(CWriter& writer, const Layer& layer, bool skip, bool concat, bool mean) {
  writer.function("copy", "void copy(size_t n, const real *x, real *y)",
                  "size_t i;\nfor (i = 0; i < n; ++i) y[i] = x[i];");
  writer.function("add", "void add(size_t n, const real *x, real *y)",
                  "size_t i;\nfor (i = 0; i < n; ++i) y[i] += x[i];");
  const int in = writer.input;
  writer.share(in);
  std::vector<int> ends;
  if (skip) ends.push_back(in);
  for (const Chain& chain : layer.inside()) {
    writer.input = in;
    for (const auto& inner : chain) writer.lower(*inner);
    ends.push_back(writer.input);
  }
  const int to = writer.new_value(layer.output_width());
  std::ptrdiff_t place = 0;
  for (std::size_t k = 0; k < ends.size(); ++k) {
    const std::string n = std::to_string(writer.width(ends[k]));
    if (concat) {
      writer.function("put", "void put(size_t n, size_t place, const real *x, real *y)",
                      "size_t i;\nfor (i = 0; i < n; ++i) y[place + i] = x[i];");
      writer.call("put", n + ", " + std::to_string(place) + ", ", ends[k], to);
      place += writer.width(ends[k]);
      continue;
    }
    writer.call(k == 0 ? "copy" : "add", n + ", ", ends[k], to);
    if (k > 0) writer.cost.additions += layer.output_width();
  }
  if (mean) {
    writer.function("divide", "void divide(size_t n, real by, const real *x, real *y)",
                    "size_t i;\nfor (i = 0; i < n; ++i) y[i] = x[i] / by;");
    writer.call("divide",
                c_arguments({layer.output_width()}) + writer.number(static_cast<double>(ends.size())) + ", ",
                to, to);
    writer.cost.divisions += layer.output_width();
  }
  writer.input = to;
}

}  // namespace

void Residual::to_c(CWriter& writer) const { merge(writer, *this, true, false, false); }

void Branches::to_c(CWriter& writer) const {
  const int how = static_cast<int>(value("merge"));  // sum, concat, mean
  merge(writer, *this, false, how == 1, how == 2);
}

}  // namespace deltarule
