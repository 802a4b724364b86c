/* direct.cu — convolutions by their definition, for what cuDNN has no algorithm for: slow, but nothing is refused.
 *
 * A thread computes one element; weights are [out][window][input of the group]. The gradient's sums over all pixels are
 * cut into parts whose number the geometry alone decides. Sums are in single precision, over the parts in double. */
#include "compute/cuda/windows.cuh"

struct group {
    int ins, outs; /* channels of one */
};

static inline __host__ __device__ group group_of(const tc_convolution &g) {
    return {g.in.c / g.groups, g.out.c / g.groups};
}

/* ---- z = W ∗ x + b ---- */

template <class I> static inline __device__ real inner(int count, const real *w, const I *x) {
    real sum = 0;
    for (int i = 0; i < count; i++) sum += w[i] * tc_cuda_real(x[i]);
    return sum;
}

template <class I, class O>
static void forward(tc_device *device, const tc_convolution *geometry, const void *weights, const void *x,
                    const void *bias, bool relu, bool accumulate, void *z) {
    const tc_convolution g = *geometry;
    const group of = group_of(g);
    const real *w = (const real *)weights, *b = (const real *)bias;
    const I *from = (const I *)x;
    O *to = (O *)z;
    tc_cuda_each(device, tc_shape_count(g.out), "convolution by definition", [=] __device__(size_t i) {
        size_t rest = i;
        const int c = tc_cuda_take(&rest, g.out.c), column = tc_cuda_take(&rest, g.out.w);
        const int row = tc_cuda_take(&rest, g.out.h), first = c / of.outs * of.ins;
        real sum = b ? b[c] : 0;
        for (int ky = 0; ky < g.kernel; ky++) {
            const int y = tc_cuda_under(g, (unsigned)row, ky, g.in.h);
            for (int kx = 0; y >= 0 && kx < g.kernel; kx++) {
                const int at = tc_cuda_under(g, (unsigned)column, kx, g.in.w);
                if (at < 0) continue;
                const size_t tap = ((size_t)c * g.kernel + ky) * g.kernel + kx;
                sum += inner(of.ins, w + tap * of.ins, from + ((rest * g.in.h + y) * g.in.w + at) * g.in.c + first);
            }
        }
        if (accumulate) sum += tc_cuda_real(to[i]);
        tc_cuda_keep(to + i, relu && sum < 0 ? 0 : sum);
    });
}

/* ---- dx = Wᵀ dz ---- */

template <class I, class O>
static void data(tc_device *device, const tc_convolution *geometry, const void *weights, const void *dz, void *dx) {
    const tc_convolution g = *geometry;
    const group of = group_of(g);
    const size_t pitch = (size_t)g.kernel * (size_t)g.kernel * (size_t)of.ins;
    const real *w = (const real *)weights;
    const O *from = (const O *)dz;
    I *to = (I *)dx;
    tc_cuda_each(device, tc_shape_count(g.in), "data gradient by definition", [=] __device__(size_t i) {
        size_t rest = i;
        const int c = tc_cuda_take(&rest, g.in.c), column = tc_cuda_take(&rest, g.in.w);
        const int row = tc_cuda_take(&rest, g.in.h), first = c / of.ins * of.outs;
        real sum = 0;
        for (int ky = 0; ky < g.kernel; ky++) {
            const int r = tc_cuda_over(g, (unsigned)row, ky, g.out.h);
            for (int kx = 0; r >= 0 && kx < g.kernel; kx++) {
                const int at = tc_cuda_over(g, (unsigned)column, kx, g.out.w);
                if (at < 0) continue;
                const O *dy = from + ((rest * g.out.h + r) * g.out.w + at) * g.out.c + first;
                const real *v = w + first * pitch + (size_t)(ky * g.kernel + kx) * of.ins + c % of.ins;
                for (int o = 0; o < of.outs; o++) sum += v[o * pitch] * tc_cuda_real(dy[o]);
            }
        }
        tc_cuda_keep(to + i, sum);
    });
}

/* ---- dW ---- */

/* Pixels [first, end) of ∂/∂W[c][place][input]. */
template <class I, class O> struct gradient_of {
    tc_convolution g;
    const I *x;
    const O *dz;

    __device__ real part(int c, int place, int input, size_t first, size_t end) const {
        const group of = group_of(g);
        const int ky = place / g.kernel, kx = place % g.kernel;
        real sum = 0;
        for (size_t pixel = first; pixel < end; pixel++) {
            size_t rest = pixel;
            const int column = tc_cuda_take(&rest, g.out.w), row = tc_cuda_take(&rest, g.out.h);
            const int y = tc_cuda_under(g, (unsigned)row, ky, g.in.h),
                      at = tc_cuda_under(g, (unsigned)column, kx, g.in.w);
            if (y < 0 || at < 0) continue;
            sum += tc_cuda_real(dz[pixel * g.out.c + c]) *
                   tc_cuda_real(x[((rest * g.in.h + y) * g.in.w + at) * g.in.c + c / of.outs * of.ins + input]);
        }
        return sum;
    }
};

/* Of a few hundred pixels, as many as there is room for. */
static size_t parts_of(const tc_convolution *g, size_t weights) {
    const size_t pixels = (size_t)g->out.n * (size_t)g->out.h * (size_t)g->out.w, most = TC_CUDA_ROOM / weights;
    const size_t wanted = (pixels + 255) / 256, parts = wanted < most ? wanted : most;
    return parts > 1 ? parts : 1;
}

template <class I, class O>
static void gradient(tc_device *device, const tc_convolution *geometry, const void *x, const void *dz, void *dw,
                     bool accumulate) {
    const gradient_of<I, O> of = {*geometry, (const I *)x, (const O *)dz};
    const int taps = geometry->kernel * geometry->kernel, ins = group_of(*geometry).ins;
    const size_t pixels = (size_t)geometry->out.n * (size_t)geometry->out.h * (size_t)geometry->out.w;
    const size_t weights = (size_t)geometry->out.c * (size_t)taps * (size_t)ins, parts = parts_of(geometry, weights);
    const size_t length = (pixels + parts - 1) / parts;
    const bool alone = parts == 1; /* then nothing is left to add up, and there may be more weights than room */
    real *to = (real *)dw, *partial = tc_cuda_state_of(device)->room; /* both [out][input][window] */
    tc_cuda_each(device, parts * weights, "weight gradient by definition", [=] __device__(size_t i) {
        size_t rest = i;
        const int place = tc_cuda_take(&rest, taps), input = tc_cuda_take(&rest, ins);
        const int c = tc_cuda_take(&rest, of.g.out.c);
        const size_t first = rest * length, end = first + length < pixels ? first + length : pixels;
        const real sum = of.part(c, place, input, first, end);
        if (alone)
            to[i] = sum + (accumulate ? to[i] : 0);
        else
            partial[i] = sum;
    });
    if (alone) return;
    tc_cuda_each(device, weights, "weight gradient by definition", [=] __device__(size_t i) {
        double sum = accumulate ? (double)to[i] : 0;
        for (size_t part = 0; part < parts; part++) sum += partial[part * weights + i];
        to[i] = (real)sum;
    });
}

template <class I, class O> static constexpr tc_cuda_maps maps_of() {
    return {forward<I, O>, data<I, O>, gradient<I, O>};
}

const tc_cuda_maps *tc_cuda_direct(const tc_convolution *g) {
    static const tc_cuda_maps by[2][2] = {{maps_of<real, real>(), maps_of<real, tc_cuda_bf16>()},
                                          {maps_of<tc_cuda_bf16, real>(), maps_of<tc_cuda_bf16, tc_cuda_bf16>()}};
    return &by[g->in.half][g->out.half];
}
