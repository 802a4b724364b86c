/* activations.cu — element-wise functions, and sums of addends. A kind is a type that says its value at x, its slope
 * times a number (given x and y = f(x)) and, where it bends, its curvature; the four maps of every kind follow from
 * these. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/stored.cuh"

namespace {

/* The piecewise linear kinds know their slope from y alone, so x need not be kept. */

struct leaky_relu {
    static const bool bends = false;
    real slope;
    __device__ real value(real x) const {
        return x > 0 ? x : slope * x;
    }
    __device__ real along(real, real y, real q) const {
        return (y > 0 ? 1 : slope) * q;
    }
};

struct relu {
    static const bool bends = false;
    real slope;
    __device__ real value(real x) const {
        return x < 0 ? 0 : x; /* NaN stays NaN */
    }
    __device__ real along(real, real y, real q) const {
        return y > 0 ? q : 0;
    }
};

struct relu6 {
    static const bool bends = false;
    real slope;
    __device__ real value(real x) const {
        return x < 0 ? 0 : x > 6 ? 6 : x;
    }
    __device__ real along(real, real y, real q) const {
        return (y > 0 && y < 6 ? 1 : 0) * q;
    }
};

struct sigmoid {
    static const bool bends = true;
    real slope;
    __device__ real value(real x) const {
        return 1 / (1 + expf(-x));
    }
    __device__ real along(real x, real, real q) const {
        const real s = value(x);
        return s * (1 - s) * q;
    }
    __device__ real curvature(real x) const {
        const real s = value(x);
        return s * (1 - s) * (1 - 2 * s);
    }
};

struct hyperbolic_tangent {
    static const bool bends = true;
    real slope;
    __device__ real value(real x) const {
        return tanhf(x);
    }
    __device__ real along(real x, real, real q) const {
        const real s = value(x);
        return (1 - s * s) * q;
    }
    __device__ real curvature(real x) const {
        const real s = value(x);
        return -2 * s * (1 - s * s);
    }
};

/* x Φ(x) with the exact Φ of the normal distribution; φ is its density. */
struct gelu {
    static const bool bends = true;
    real slope;
    static __device__ real law(real x) {
        return erfcf(x * -0.70710678F) / 2;
    }
    static __device__ real density(real x) {
        return 0.39894228F * expf(-x * x / 2);
    }
    __device__ real value(real x) const {
        return x * law(x);
    }
    __device__ real along(real x, real, real q) const {
        return (law(x) + x * density(x)) * q;
    }
    __device__ real curvature(real x) const {
        return (2 - x * x) * density(x);
    }
};

/* ---- every element for itself, in packs where arrays and their length allow ---- */

struct arguments {
    tc_device *device;
    tc_shape shape;
    real slope;
    const void *x, *y, *x_t; /* may be NULL where a map does not read them */
    tc_sum dy, dy_t;
    void *to;
};

template <class T, int N> using pack = tc_cuda_pack<T, N>;

template <class T> bool in_packs(const arguments &a) {
    return tc_shape_count(a.shape) % TC_PACK == 0 && tc_cuda_packs<T>(a.x) && tc_cuda_packs<T>(a.y) &&
           tc_cuda_packs<T>(a.x_t) && tc_cuda_packs<T>(a.dy) && tc_cuda_packs<T>(a.dy_t) && tc_cuda_packs<T>(a.to);
}

/* M::run<T, N>(a) for the arguments' own T and N. */
template <class M> void run(const arguments &a) {
    if (a.shape.half)
        (in_packs<tc_cuda_bf16>(a) ? M::template run<tc_cuda_bf16, TC_PACK> : M::template run<tc_cuda_bf16, 1>)(a);
    else
        (in_packs<real>(a) ? M::template run<real, TC_PACK> : M::template run<real, 1>)(a);
}

/* ---- the maps, for a kind F ---- */

template <class F> struct value {
    template <class T, int N> static void run(const arguments &a) {
        const F f = {a.slope};
        const pack<T, N> *x = (const pack<T, N> *)a.x;
        pack<T, N> *to = (pack<T, N> *)a.to;
        tc_cuda_each(a.device, tc_shape_count(a.shape) / N, "activation", [=] __device__(size_t i) {
            pack<real, N> y = tc_cuda_reals(x[i]);
            for (int k = 0; k < N; k++) y.at[k] = f.value(y.at[k]);
            tc_cuda_keep(to + i, y);
        });
    }
};

template <class F> struct backward {
    template <class T, int N> static void run(const arguments &a) {
        const F f = {a.slope};
        const pack<T, N> *at = (const pack<T, N> *)(F::bends ? a.x : a.y);
        const tc_sum dy = a.dy;
        pack<T, N> *to = (pack<T, N> *)a.to;
        tc_cuda_each(a.device, tc_shape_count(a.shape) / N, "activation_backward", [=] __device__(size_t i) {
            const pack<real, N> v = tc_cuda_reals(at[i]);
            pack<real, N> q = tc_cuda_pack_of<T, N>(dy, i);
            for (int k = 0; k < N; k++) q.at[k] = f.along(v.at[k], v.at[k], q.at[k]); /* of x and y it takes one */
            tc_cuda_keep(to + i, q);
        });
    }
};

template <class F> struct backward_tangent {
    template <class T, int N> static void run(const arguments &a) {
        const F f = {a.slope};
        const pack<T, N> *at = (const pack<T, N> *)a.x, *along = (const pack<T, N> *)a.x_t;
        const tc_sum dy = a.dy, dy_t = a.dy_t;
        pack<T, N> *to = (pack<T, N> *)a.to;
        tc_cuda_each(a.device, tc_shape_count(a.shape) / N, "activation_backward_tangent", [=] __device__(size_t i) {
            const pack<real, N> x = tc_cuda_reals(at[i]), x_t = tc_cuda_reals(along[i]),
                                q = tc_cuda_pack_of<T, N>(dy, i);
            pack<real, N> q_t = tc_cuda_pack_of<T, N>(dy_t, i);
            for (int k = 0; k < N; k++)
                q_t.at[k] = f.along(x.at[k], 0, q_t.at[k]) + f.curvature(x.at[k]) * x_t.at[k] * q.at[k];
            tc_cuda_keep(to + i, q_t);
        });
    }
};

struct curve {
    void (*value)(const arguments &a);
    void (*backward)(const arguments &a);
    void (*backward_tangent)(const arguments &a); /* NULL: the slope does not change */
};

template <class F> constexpr curve curve_of() {
    if constexpr (F::bends)
        return {run<value<F>>, run<backward<F>>, run<backward_tangent<F>>};
    else
        return {run<value<F>>, run<backward<F>>, NULL};
}

const curve curves[] = {/* in the order of tc_activation_kind */
                        curve_of<relu>(),    curve_of<leaky_relu>(),         curve_of<relu6>(),
                        curve_of<sigmoid>(), curve_of<hyperbolic_tangent>(), curve_of<gelu>()};
static_assert(TC_RELU == 0 && TC_LEAKY_RELU == 1 && TC_RELU6 == 2 && TC_SIGMOID == 3 && TC_TANH == 4 && TC_GELU == 5,
              "the table's order");

/* ---- sums of addends ---- */

template <bool relu> struct total {
    template <class T, int N> static void run(const arguments &a) {
        const tc_sum terms = a.dy;
        pack<T, N> *to = (pack<T, N> *)a.to;
        tc_cuda_each(a.device, tc_shape_count(a.shape) / N, relu ? "add_relu" : "add", [=] __device__(size_t i) {
            pack<real, N> sum = tc_cuda_pack_of<T, N>(terms, i);
            for (int k = 0; relu && k < N; k++) sum.at[k] = sum.at[k] < 0 ? 0 : sum.at[k]; /* NaN stays NaN */
            tc_cuda_keep(to + i, sum);
        });
    }
};

} // namespace

void tc_cuda_activation(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape, const void *x,
                        void *y) {
    const arguments a = {device, shape, (real)slope, x, NULL, NULL, {}, {}, y};
    curves[kind].value(a);
}

void tc_cuda_activation_backward(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape,
                                 const void *x, const void *y, tc_sum dy, void *dx) {
    const arguments a = {device, shape, (real)slope, x, y, NULL, dy, {}, dx};
    curves[kind].backward(a);
}

void tc_cuda_activation_tangent(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape, const void *x,
                                const void *y, const void *x_t, void *y_t) {
    if (x_t)
        tc_cuda_activation_backward(device, kind, slope, shape, x, y, tc_one(x_t), y_t); /* f′(x) ẋ: the same map */
    else
        tc_cuda_fill(device, tc_shape_count(shape), 0, y_t);
}

void tc_cuda_activation_backward_tangent(tc_device *device, tc_activation_kind kind, double slope, tc_shape shape,
                                         const void *x, const void *y, const void *x_t, tc_sum dy, tc_sum dy_t,
                                         void *dx_t) {
    if (!curves[kind].backward_tangent || !x_t) {
        tc_cuda_activation_backward(device, kind, slope, shape, x, y, dy_t, dx_t);
        return;
    }
    const arguments a = {device, shape, (real)slope, x, y, x_t, dy, dy_t, dx_t};
    curves[kind].backward_tangent(a);
}

void tc_cuda_add(tc_device *device, tc_shape shape, tc_sum terms, void *y) {
    const arguments a = {device, shape, 0, NULL, NULL, NULL, terms, {}, y};
    run<total<false>>(a);
}

void tc_cuda_add_relu(tc_device *device, tc_shape shape, tc_sum terms, void *y) {
    const arguments a = {device, shape, 0, NULL, NULL, NULL, terms, {}, y};
    run<total<true>>(a);
}
