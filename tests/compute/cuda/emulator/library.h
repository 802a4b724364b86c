/* library.h — what the emulated cuDNN and cuBLASLt share: rounding, failures on demand, and a tally by which a test
 * sees what was asked of them. */
#ifndef TC_EMULATOR_LIBRARY_H
#define TC_EMULATOR_LIBRARY_H

#include "cuda_runtime.h"
#include "tally.h"

#include <cstring>

/* `x` rounded to nearest, ties to even, with `bits` fewer in its significand: 13 for TF32, 16 for bf16. */
static inline float tc_emulator_rounded(float x, int bits) {
    uint32_t word;
    memcpy(&word, &x, sizeof word);
    if (bits == 0 || (word & 0x7f800000u) == 0x7f800000u) return x;
    word += (1u << (bits - 1)) - 1 + (word >> bits & 1);
    word &= ~((1u << bits) - 1);
    memcpy(&x, &word, sizeof x);
    return x;
}

/* Whether this call of `function` is to fail: TOCSIN_EMULATED_FAILURE names one, and may say from which call on, since
 * it was set ("cudnnConvolutionForward:3"; without a number every one). */
bool tc_emulator_fails(const char *function);

/* One more of what the tally counts, or none. */
static inline void tc_emulator_count(int &counter, bool one = true) {
    __atomic_fetch_add(&counter, one, __ATOMIC_RELAXED);
}

extern "C" __attribute__((visibility("default"))) tc_emulator_counts tc_emulator_tally;

#endif
