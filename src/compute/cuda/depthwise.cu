/* depthwise.cu — convolutions in which every channel goes alone (MobileNetV2's), by kernels of our own.
 *
 * Each output is a sum of a few products with nothing to share between channels, so there is no matrix product in it
 * and memory sets the pace: a thread computes one element, its neighbours the next channels, and all that they read and
 * write lies side by side. Weights are [window][c]. The gradient's sums over all pixels are cut into parts whose number
 * the geometry alone decides, so that the bits are the same on every GPU; everything is in single precision. */
#include "compute/cuda/windows.cuh"

/* 32 bits, in which the GPU divides several times as fast as in 64: `fits` sees to it. */
struct window {
    unsigned c, in_h, in_w, out_h, out_w, pixels; /* pixels: of all outputs */
    int kernel, stride, padding;
};

static window window_of(const tc_convolution *g) {
    return {(unsigned)g->in.c,  (unsigned)g->in.h,  (unsigned)g->in.w,
            (unsigned)g->out.h, (unsigned)g->out.w, (unsigned)(g->out.n * g->out.h * g->out.w),
            g->kernel,          g->stride,          g->padding};
}

template <class I, class O>
static void forward(tc_device *device, const tc_convolution *g, const void *weights, const void *x, const void *bias,
                    bool relu, bool accumulate, void *z) {
    const window v = window_of(g);
    const real *w = (const real *)weights, *b = (const real *)bias;
    const I *from = (const I *)x;
    O *to = (O *)z;
    tc_cuda_each(device, (size_t)v.pixels * v.c, "convolution, each channel alone", [=] __device__(size_t i) {
        const unsigned pixel = (unsigned)i / v.c, c = (unsigned)i - pixel * v.c;
        const unsigned line = pixel / v.out_w, column = pixel - line * v.out_w;
        const unsigned row = line % v.out_h, image = line / v.out_h * v.in_h;
        real sum = b ? b[c] : 0;
        for (int ky = 0; ky < v.kernel; ky++) {
            const int y = tc_cuda_under(v, row, ky, v.in_h);
            if (y < 0) continue;
            for (int kx = 0; kx < v.kernel; kx++) {
                const int at = tc_cuda_under(v, column, kx, v.in_w);
                if (at < 0) continue;
                sum += w[(unsigned)(ky * v.kernel + kx) * v.c + c] *
                       tc_cuda_real(from[((image + (unsigned)y) * v.in_w + (unsigned)at) * v.c + c]);
            }
        }
        if (accumulate) sum += tc_cuda_real(to[i]);
        tc_cuda_keep(to + i, relu && sum < 0 ? 0 : sum);
    });
}

template <class I, class O>
static void data(tc_device *device, const tc_convolution *g, const void *weights, const void *dz, void *dx) {
    const window v = window_of(g);
    const real *w = (const real *)weights;
    const O *from = (const O *)dz;
    I *to = (I *)dx;
    tc_cuda_each(device, tc_shape_count(g->in), "data gradient, each channel alone", [=] __device__(size_t i) {
        const unsigned pixel = (unsigned)i / v.c, c = (unsigned)i - pixel * v.c;
        const unsigned line = pixel / v.in_w, column = pixel - line * v.in_w;
        const unsigned row = line % v.in_h, image = line / v.in_h * v.out_h;
        real sum = 0;
        for (int ky = 0; ky < v.kernel; ky++) {
            const int r = tc_cuda_over(v, row, ky, v.out_h);
            if (r < 0) continue;
            for (int kx = 0; kx < v.kernel; kx++) {
                const int at = tc_cuda_over(v, column, kx, v.out_w);
                if (at < 0) continue;
                sum += w[(unsigned)(ky * v.kernel + kx) * v.c + c] *
                       tc_cuda_real(from[((image + (unsigned)r) * v.out_w + (unsigned)at) * v.c + c]);
            }
        }
        tc_cuda_keep(to + i, sum);
    });
}

/* Parts of a few hundred pixels, as many as there is room for. */
static unsigned parts_of(const window &v) {
    const unsigned weights = (unsigned)(v.kernel * v.kernel) * v.c, most = TC_CUDA_ROOM / weights;
    const unsigned wanted = (v.pixels + 255) / 256;
    return wanted < most ? wanted : most;
}

template <class I, class O>
static void gradient(tc_device *device, const tc_convolution *g, const void *x, const void *dz, void *dw,
                     bool accumulate) {
    const window v = window_of(g);
    const I *from = (const I *)x;
    const O *cotangent = (const O *)dz;
    real *partial = tc_cuda_state_of(device)->room, *to = (real *)dw; /* partial: [parts][window][c] */
    const unsigned taps = (unsigned)(v.kernel * v.kernel), weights = taps * v.c, parts = parts_of(v);
    const unsigned length = (v.pixels + parts - 1) / parts;
    tc_cuda_each(device, (size_t)parts * weights, "weight gradient, each channel alone", [=] __device__(size_t i) {
        const unsigned c = (unsigned)i % v.c, tap = (unsigned)i / v.c % taps, first = (unsigned)i / weights * length;
        const unsigned end = first + length < v.pixels ? first + length : v.pixels;
        real sum = 0;
        for (unsigned pixel = first; pixel < end; pixel++) {
            const unsigned line = pixel / v.out_w;
            const int y = tc_cuda_under(v, line % v.out_h, (int)tap / v.kernel, v.in_h);
            const int at = tc_cuda_under(v, pixel - line * v.out_w, (int)tap % v.kernel, v.in_w);
            if (y < 0 || at < 0) continue;
            const unsigned row = line / v.out_h * v.in_h + (unsigned)y;
            sum +=
                tc_cuda_real(cotangent[pixel * v.c + c]) * tc_cuda_real(from[(row * v.in_w + (unsigned)at) * v.c + c]);
        }
        partial[i] = sum;
    });
    tc_cuda_each(device, weights, "weight gradient, each channel alone", [=] __device__(size_t i) {
        const unsigned c = (unsigned)i % v.c, tap = (unsigned)i / v.c, at = c * taps + tap; /* [c][1][window] */
        double sum = 0;
        for (unsigned part = 0; part < parts; part++) sum += partial[part * weights + (unsigned)i];
        to[at] = (real)(sum + (accumulate ? (double)to[at] : 0));
    });
}

/* ---- for the types that a geometry has: I of what goes in, O of what comes out ---- */

template <class I, class O> static constexpr tc_cuda_maps maps_of() {
    return {forward<I, O>, data<I, O>, gradient<I, O>};
}

static bool fits(const tc_convolution *g) {
    const size_t weights = (size_t)g->kernel * (size_t)g->kernel * (size_t)g->in.c;
    return g->groups > 1 && g->groups == g->in.c && g->groups == g->out.c && weights <= TC_CUDA_ROOM &&
           tc_shape_count(g->in) <= INT32_MAX && tc_shape_count(g->out) <= INT32_MAX;
}

const tc_cuda_maps *tc_cuda_depthwise(const tc_convolution *g) {
    static const tc_cuda_maps by[2][2] = {{maps_of<real, real>(), maps_of<real, tc_cuda_bf16>()},
                                          {maps_of<tc_cuda_bf16, real>(), maps_of<tc_cuda_bf16, tc_cuda_bf16>()}};
    return fits(g) ? &by[g->in.half][g->out.half] : NULL;
}
