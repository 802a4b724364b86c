/* activations.cu — element-wise functions. A kind is a type that says its value at x, its slope times a number (given x
 * and y = f(x)) and, where it bends, its curvature; the four maps of every kind follow from these. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/launch.h"

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

/* ---- the maps, for a kind F ---- */

struct arguments {
    tc_device *device;
    size_t count;
    real slope;
    const real *x, *y, *x_t;
    tc_sum dy, dy_t;
    real *to;
};

template <class F> void value(const arguments &a) {
    const F f = {a.slope};
    const real *x = a.x;
    real *to = a.to;
    tc_cuda_each(a.device, a.count, "activation", [=] __device__(size_t i) { to[i] = f.value(x[i]); });
}

/* What a kind does not read may be NULL. */
template <class F> void backward(const arguments &a) {
    const F f = {a.slope};
    const real *x = a.x, *y = a.y;
    const tc_sum dy = a.dy;
    real *to = a.to;
    tc_cuda_each(a.device, a.count, "activation_backward", [=] __device__(size_t i) {
        to[i] = f.along(F::bends ? x[i] : 0, F::bends ? 0 : y[i], tc_cuda_term(dy, i));
    });
}

template <class F> void backward_tangent(const arguments &a) {
    if constexpr (F::bends) {
        const F f = {a.slope};
        const real *x = a.x, *x_t = a.x_t;
        const tc_sum dy = a.dy, dy_t = a.dy_t;
        real *to = a.to;
        tc_cuda_each(a.device, a.count, "activation_backward_tangent", [=] __device__(size_t i) {
            to[i] = f.along(x[i], 0, tc_cuda_term(dy_t, i)) + f.curvature(x[i]) * x_t[i] * tc_cuda_term(dy, i);
        });
    }
}

struct curve {
    void (*value)(const arguments &a);
    void (*backward)(const arguments &a);
    void (*backward_tangent)(const arguments &a); /* NULL: the slope does not change */
};

template <class F> constexpr curve curve_of() {
    return {value<F>, backward<F>, F::bends ? backward_tangent<F> : NULL};
}

const curve curves[] = {/* in the order of tc_activation_kind */
                        curve_of<relu>(),    curve_of<leaky_relu>(),         curve_of<relu6>(),
                        curve_of<sigmoid>(), curve_of<hyperbolic_tangent>(), curve_of<gelu>()};
static_assert(TC_RELU == 0 && TC_LEAKY_RELU == 1 && TC_RELU6 == 2 && TC_SIGMOID == 3 && TC_TANH == 4 && TC_GELU == 5,
              "the table's order");

} // namespace

void tc_cuda_activation(tc_device *device, tc_activation_kind kind, double slope, size_t count, const void *x,
                        void *y) {
    const arguments a = {device, count, (real)slope, (const real *)x, NULL, NULL, {}, {}, (real *)y};
    curves[kind].value(a);
}

void tc_cuda_activation_backward(tc_device *device, tc_activation_kind kind, double slope, size_t count, const void *x,
                                 const void *y, tc_sum dy, void *dx) {
    const arguments a = {device, count, (real)slope, (const real *)x, (const real *)y, NULL, dy, {}, (real *)dx};
    curves[kind].backward(a);
}

void tc_cuda_activation_tangent(tc_device *device, tc_activation_kind kind, double slope, size_t count, const void *x,
                                const void *y, const void *x_t, void *y_t) {
    if (x_t)
        tc_cuda_activation_backward(device, kind, slope, count, x, y, tc_one(x_t), y_t); /* f′(x) ẋ: the same map */
    else
        tc_cuda_fill(device, count, 0, y_t);
}

void tc_cuda_activation_backward_tangent(tc_device *device, tc_activation_kind kind, double slope, size_t count,
                                         const void *x, const void *y, const void *x_t, tc_sum dy, tc_sum dy_t,
                                         void *dx_t) {
    if (!curves[kind].backward_tangent || !x_t) {
        tc_cuda_activation_backward(device, kind, slope, count, x, y, dy_t, dx_t);
        return;
    }
    const arguments a = {device, count, (real)slope, (const real *)x, (const real *)y, (const real *)x_t,
                         dy,     dy_t,  (real *)dx_t};
    curves[kind].backward_tangent(a);
}
