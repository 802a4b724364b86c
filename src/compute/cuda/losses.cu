/* losses.cu — losses on logits, a warp for each sample, in double within it. A kind is a type with its value (and the
 * gradient where it is wanted) and the tangent of the gradient; every lane of the warp calls them and sees to every
 * 32nd class. */
#include "compute/cuda/kernels.h"
#include "compute/cuda/launch.h"

namespace {

/* One sample, as a lane sees it. */
struct sample {
    int classes, label, lane;
    double weight, kappa;
    const real *z;
    const real *soft; /* NULL: one-hot of label */

    __device__ double target(int i) const {
        return soft ? (double)soft[i] : i == label;
    }
};

/* In every lane, and the same bits in each: sums of two are commutative. */
__device__ double sum_of_warp(double x) {
    for (int with = TC_WARP / 2; with > 0; with /= 2) x += __shfl_xor_sync(0xffffffffu, x, with);
    return x;
}

__device__ double largest_of_warp(double x) {
    for (int with = TC_WARP / 2; with > 0; with /= 2) x = fmax(x, __shfl_xor_sync(0xffffffffu, x, with));
    return x;
}

/* log Σ exp z, safe from overflow; and with it softmax(z)_i. */
__device__ double log_sum(const sample &s) {
    double most = (double)s.z[0], sum = 0;
    for (int i = s.lane; i < s.classes; i += TC_WARP) most = fmax(most, (double)s.z[i]);
    most = largest_of_warp(most);
    for (int i = s.lane; i < s.classes; i += TC_WARP) sum += exp((double)s.z[i] - most);
    return most + log(sum_of_warp(sum));
}

__device__ double target_total(const sample &s) {
    if (!s.soft) return 1;
    double total = 0;
    for (int i = s.lane; i < s.classes; i += TC_WARP) total += (double)s.soft[i];
    return sum_of_warp(total);
}

struct cross_entropy {
    static __device__ double value(const sample &s, real *dz) {
        const double normaliser = log_sum(s), total = target_total(s);
        double sum = 0;
        for (int i = s.lane; i < s.classes; i += TC_WARP) {
            const double z = (double)s.z[i], t = s.target(i);
            if (t != 0) sum += t * (normaliser - z); /* 0 · ∞ is 0 here */
            if (dz) dz[i] = (real)(s.weight * (total * exp(z - normaliser) - t));
        }
        return sum_of_warp(sum);
    }
    static __device__ void tangent(const sample &s, const real *z_t, real *dz_t) {
        const double normaliser = log_sum(s), scale = s.weight * target_total(s);
        double mean = 0; /* ⟨p, ż⟩ */
        for (int i = s.lane; i < s.classes; i += TC_WARP) mean += exp((double)s.z[i] - normaliser) * (double)z_t[i];
        mean = sum_of_warp(mean);
        for (int i = s.lane; i < s.classes; i += TC_WARP)
            dz_t[i] = (real)(scale * exp((double)s.z[i] - normaliser) * ((double)z_t[i] - mean));
    }
};

struct squared_error {
    static __device__ double value(const sample &s, real *dz) {
        double sum = 0;
        for (int i = s.lane; i < s.classes; i += TC_WARP) {
            const double error = (double)s.z[i] - s.target(i);
            sum += error * error / 2;
            if (dz) dz[i] = (real)(s.weight * error);
        }
        return sum_of_warp(sum);
    }
    static __device__ void tangent(const sample &s, const real *z_t, real *dz_t) {
        for (int i = s.lane; i < s.classes; i += TC_WARP) dz_t[i] = (real)(s.weight * (double)z_t[i]);
    }
};

/* The first largest of the others; −1 if there are none. As a search from the front has it, NaN counts only where that
 * search begins. */
__device__ int largest_other(const sample &s) {
    const int first = s.label == 0 ? 1 : 0;
    real most = 0;
    int j = -1;
    for (int i = s.lane; i < s.classes; i += TC_WARP) {
        const real z = s.z[i];
        if (i == s.label || isnan(z) || (j >= 0 && !(z > most))) continue;
        most = z;
        j = i;
    }
    for (int with = TC_WARP / 2; with > 0; with /= 2) {
        const real other = __shfl_xor_sync(0xffffffffu, most, with);
        const int k = __shfl_xor_sync(0xffffffffu, j, with);
        if (k < 0 || (j >= 0 && (other < most || (other == most && j < k)))) continue;
        most = other;
        j = k;
    }
    return first < s.classes && isnan(s.z[first]) ? first : j;
}

/* max(floor, offset + z_j − z_y); where the floor is reached the gradient is 0. */
__device__ double gap(const sample &s, double offset, double floor_value, real *dz) {
    const int j = largest_other(s);
    const double gap = j < 0 ? floor_value : offset + (double)s.z[j] - (double)s.z[s.label];
    const bool above = gap > floor_value;
    for (int i = s.lane; dz && i < s.classes; i += TC_WARP)
        dz[i] = !above ? 0 : i == j ? (real)s.weight : i == s.label ? (real)-s.weight : 0;
    return above || isnan(gap) ? gap : floor_value;
}

/* Piecewise linear: the gradient does not change along any direction. */
struct piecewise_linear {
    static __device__ void tangent(const sample &s, const real *, real *dz_t) {
        for (int i = s.lane; i < s.classes; i += TC_WARP) dz_t[i] = 0;
    }
};

struct hinge : piecewise_linear {
    static __device__ double value(const sample &s, real *dz) {
        return gap(s, 1, 0, dz);
    }
};

struct margin : piecewise_linear {
    static __device__ double value(const sample &s, real *dz) {
        return gap(s, 0, -s.kappa, dz);
    }
};

/* ---- all samples ---- */

/* The sample that this warp is to see to. All its lanes have the same, or none. */
__device__ bool sample_at(const tc_loss &loss, size_t *n, sample *s) {
    const size_t warp = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) / TC_WARP;
    if (warp >= (size_t)loss.n) return false;
    const size_t at = warp * (size_t)loss.classes;
    *n = warp;
    s->classes = loss.classes;
    s->label = loss.soft ? 0 : loss.labels[warp];
    s->lane = (int)(threadIdx.x % TC_WARP);
    s->weight = loss.weight;
    s->kappa = loss.kappa;
    s->z = (const real *)loss.logits + at;
    s->soft = loss.soft ? (const real *)loss.soft + at : NULL;
    return true;
}

template <class L> __global__ void value_kernel(tc_loss loss, real *value, real *dz) {
    size_t n;
    sample s;
    if (!sample_at(loss, &n, &s)) return;
    const double result = L::value(s, dz ? dz + n * (size_t)loss.classes : NULL);
    if (s.lane == 0) value[n] = (real)result;
}

template <class L> __global__ void tangent_kernel(tc_loss loss, const real *z_t, real *dz_t) {
    size_t n;
    sample s;
    if (!sample_at(loss, &n, &s)) return;
    const size_t at = n * (size_t)loss.classes;
    L::tangent(s, z_t + at, dz_t + at);
}

unsigned blocks_of(const tc_loss *loss) {
    enum { SAMPLES = TC_THREADS / TC_WARP };
    return ((unsigned)loss->n + SAMPLES - 1) / SAMPLES;
}

template <class L> void run_value(tc_device *device, const tc_loss *loss, real *value, real *dz) {
    TC_LAUNCH(device, "loss", value_kernel<L>, blocks_of(loss), TC_THREADS, *loss, value, dz);
}

template <class L> void run_tangent(tc_device *device, const tc_loss *loss, const real *z_t, real *dz_t) {
    TC_LAUNCH(device, "loss_tangent", tangent_kernel<L>, blocks_of(loss), TC_THREADS, *loss, z_t, dz_t);
}

const struct {
    void (*value)(tc_device *device, const tc_loss *loss, real *value, real *dz);
    void (*tangent)(tc_device *device, const tc_loss *loss, const real *z_t, real *dz_t);
} losses[] = {/* in the order of tc_loss_kind */
              {run_value<cross_entropy>, run_tangent<cross_entropy>},
              {run_value<squared_error>, run_tangent<squared_error>},
              {run_value<hinge>, run_tangent<hinge>},
              {run_value<margin>, run_tangent<margin>}};
static_assert(TC_CROSS_ENTROPY == 0 && TC_SQUARED_ERROR == 1 && TC_HINGE == 2 && TC_MARGIN == 3, "the table's order");

} // namespace

void tc_cuda_loss(tc_device *device, const tc_loss *loss, void *value, void *dz) {
    if (loss->n > 0) losses[loss->kind].value(device, loss, (real *)value, (real *)dz);
}

void tc_cuda_loss_tangent(tc_device *device, const tc_loss *loss, const void *logits_t, void *dz_t) {
    if (loss->n > 0) losses[loss->kind].tangent(device, loss, (const real *)logits_t, (real *)dz_t);
}
