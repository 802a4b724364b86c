/* random.cuh — base/random.h on the device: element i of a stream is the same number there as here. */
#ifndef TC_COMPUTE_CUDA_RANDOM_CUH
#define TC_COMPUTE_CUDA_RANDOM_CUH

#include "compute/cuda/launch.h"

struct tc_cuda_bits {
    uint32_t word[4];
};

static inline __device__ tc_cuda_bits tc_cuda_philox(uint64_t key, uint64_t low, uint64_t high) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    tc_cuda_bits c = {{(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high, (uint32_t)(high >> 32)}};
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c.word[0], p1 = (uint64_t)0xCD9E8D57u * c.word[2];
        c = {
            {(uint32_t)(p1 >> 32) ^ c.word[1] ^ k0, (uint32_t)p1, (uint32_t)(p0 >> 32) ^ c.word[3] ^ k1, (uint32_t)p0}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

static inline __device__ uint64_t tc_cuda_half(const tc_cuda_bits &bits, int half) {
    return (uint64_t)bits.word[2 * half + 1] << 32 | bits.word[2 * half];
}

/* The key of tc_stream_child(key, purpose, number), where `name` is tc_cuda_name(purpose). */
static inline __device__ uint64_t tc_cuda_child(uint64_t key, uint64_t name, uint64_t number) {
    const uint64_t named = tc_cuda_half(tc_cuda_philox(key, name, 1), 0);
    return tc_cuda_half(tc_cuda_philox(named, number, 1), 0);
}

static inline uint64_t tc_cuda_name(const char *purpose) {
    uint64_t name = 0xcbf29ce484222325u;
    for (; *purpose; purpose++) name = (name ^ (unsigned char)*purpose) * 0x100000001b3u;
    return name;
}

static inline __device__ double tc_cuda_uniform_at(uint64_t key, uint64_t index) {
    const tc_cuda_bits bits = tc_cuda_philox(key, index >> 1, 0);
    return (double)(tc_cuda_half(bits, (int)(index & 1)) >> 11) * 0x1p-53;
}

static inline __device__ double tc_cuda_normal_at(uint64_t key, uint64_t index) {
    const tc_cuda_bits bits = tc_cuda_philox(key, index, (uint64_t)1 << 63);
    const double u = ((double)(tc_cuda_half(bits, 0) >> 11) + 0.5) * 0x1p-53;
    const double v = (double)(tc_cuda_half(bits, 1) >> 11) * 0x1p-53;
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

#endif
