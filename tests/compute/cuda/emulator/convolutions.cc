/* convolutions.cc — convolutions of NHWC tensors by their definition, in double. Output (r, c) meets input (y, x) where
 * y = r·stride + ky − pad and x = c·stride + kx − pad; `meetings` goes through them all. */
#include "convolutions.h"

#include "library.h"

namespace {

typedef std::vector<double> numbers;

size_t count(const tc_emulated_tensor &t) {
    return (size_t)t.n * (size_t)t.h * (size_t)t.w * (size_t)t.c;
}

size_t count(const tc_emulated_filter &f) {
    return (size_t)f.k * (size_t)f.h * (size_t)f.w * (size_t)f.c;
}

double read(const void *from, cudnnDataType_t type, size_t i) {
    if (type == CUDNN_DATA_FLOAT) return (double)((const float *)from)[i];
    const uint32_t word = (uint32_t)((const uint16_t *)from)[i] << 16;
    float x;
    memcpy(&x, &word, sizeof x);
    return (double)x;
}

void write(void *to, cudnnDataType_t type, size_t i, double x) {
    const float rounded = (float)x;
    if (type == CUDNN_DATA_FLOAT) {
        ((float *)to)[i] = rounded;
        return;
    }
    const float cut = tc_emulator_rounded(rounded, 16);
    uint32_t word;
    memcpy(&word, &cut, sizeof word);
    ((uint16_t *)to)[i] = (uint16_t)(word >> 16);
}

numbers operand(const void *from, cudnnDataType_t type, size_t count, int bits_lost) {
    numbers x(count);
    for (size_t i = 0; i < count; i++) x[i] = (double)tc_emulator_rounded((float)read(from, type, i), bits_lost);
    return x;
}

void result(void *to, cudnnDataType_t type, const numbers &x, const tc_emulated_call &call) {
    const size_t channels = (size_t)call.out_shape.c;
    for (size_t i = 0; i < x.size(); i++) {
        double sum = (double)call.alpha * x[i];
        if (call.beta != 0) sum += (double)call.beta * read(to, type, i);
        if (call.bias) sum += (double)call.bias[i % channels];
        write(to, type, i, call.relu && sum < 0 ? 0 : sum);
    }
}

/* f(input pixel, output pixel, place in the window), each the number of its channel 0 over the number of channels. */
template <class F> void meetings(const tc_emulated_call &call, F f) {
    const tc_emulated_tensor &in = call.in_shape, &out = call.out_shape;
    for (int n = 0; n < out.n; n++)
        for (int r = 0; r < out.h; r++)
            for (int c = 0; c < out.w; c++)
                for (int ky = 0; ky < call.filter.h; ky++)
                    for (int kx = 0; kx < call.filter.w; kx++) {
                        const int y = r * call.how.stride + ky - call.how.pad;
                        const int x = c * call.how.stride + kx - call.how.pad;
                        if (y < 0 || y >= in.h || x < 0 || x >= in.w) continue;
                        f((size_t)((n * in.h + y) * in.w + x), (size_t)((n * out.h + r) * out.w + c),
                          (size_t)(ky * call.filter.w + kx));
                    }
}

/* The channels that meet there: those of an output channel's group, and their weights. */
struct channels {
    size_t ins, outs, taps, group; /* input channels of a group, … output channels of a group */

    explicit channels(const tc_emulated_call &call)
        : ins((size_t)call.filter.c), outs((size_t)call.filter.k), taps((size_t)(call.filter.h * call.filter.w)),
          group((size_t)(call.filter.k / call.how.groups)) {}
    size_t weight(size_t out, size_t tap) const {
        return (out * taps + tap) * ins;
    }
    size_t input(size_t pixel, size_t out) const {
        return (pixel * (outs / group) + out / group) * ins;
    }
};

} // namespace

void tc_emulated_forward(const tc_emulated_call &call) {
    const channels c(call);
    const numbers x = operand(call.in, call.in_shape.type, count(call.in_shape), call.bits_lost);
    const numbers w = operand(call.weights, call.filter.type, count(call.filter), call.bits_lost);
    numbers y(count(call.out_shape));
    meetings(call, [&](size_t in, size_t out, size_t tap) {
        for (size_t o = 0; o < c.outs; o++) {
            const double *from = &x[c.input(in, o)], *weight = &w[c.weight(o, tap)];
            double sum = 0;
            for (size_t i = 0; i < c.ins; i++) sum += from[i] * weight[i];
            y[out * c.outs + o] += sum;
        }
    });
    result(call.out, call.out_shape.type, y, call);
}

void tc_emulated_data(const tc_emulated_call &call) {
    const channels c(call);
    const numbers dy = operand(call.out, call.out_shape.type, count(call.out_shape), call.bits_lost);
    const numbers w = operand(call.weights, call.filter.type, count(call.filter), call.bits_lost);
    numbers dx(count(call.in_shape));
    meetings(call, [&](size_t in, size_t out, size_t tap) {
        for (size_t o = 0; o < c.outs; o++) {
            const double *weight = &w[c.weight(o, tap)], from = dy[out * c.outs + o];
            double *to = &dx[c.input(in, o)];
            for (size_t i = 0; i < c.ins; i++) to[i] += from * weight[i];
        }
    });
    result(call.in, call.in_shape.type, dx, call);
}

void tc_emulated_gradient(const tc_emulated_call &call) {
    const channels c(call);
    const numbers x = operand(call.in, call.in_shape.type, count(call.in_shape), call.bits_lost);
    const numbers dy = operand(call.out, call.out_shape.type, count(call.out_shape), call.bits_lost);
    numbers dw(count(call.filter));
    meetings(call, [&](size_t in, size_t out, size_t tap) {
        for (size_t o = 0; o < c.outs; o++) {
            const double *from = &x[c.input(in, o)], cotangent = dy[out * c.outs + o];
            double *to = &dw[c.weight(o, tap)];
            for (size_t i = 0; i < c.ins; i++) to[i] += from[i] * cotangent;
        }
    });
    result(call.weights, call.filter.type, dw, call);
}
