/* tally.h — what was asked of the emulated CUDA and its libraries since the program began. A test finds it in the
 * plug-in under the name tc_emulator_tally. */
#ifndef TC_EMULATOR_TALLY_H
#define TC_EMULATOR_TALLY_H

typedef struct tc_emulator_counts {
    int asked;            /* heuristics for a convolution's algorithm */
    int timed;            /* algorithms of a convolution timed */
    int convolutions;     /* run, in any direction */
    int fused;            /* of them with bias and ReLU */
    int nondeterministic; /* of them by an algorithm whose bits may differ from run to run */
    int transformed;      /* of them by Winograd's or Fourier's way */
    int products;         /* matrix products */
    int aligned;          /* of them by an algorithm for aligned operands */
    int kernels[2];       /* launched on GPU 0, and on any other */
} tc_emulator_counts;

#endif
