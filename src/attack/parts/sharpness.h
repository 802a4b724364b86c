/* sharpness.h — sharpness-aware objectives (SAPA: He et al., "Sharpness-aware data poisoning attack").
 *
 * The victim's θ will not be the surrogate's θ*, so the attack looks at Q around θ* instead of at θ*:
 *
 *     worst-case   Q^S(θ*) = max_{‖v‖_p ≤ ρ} Q(θ* + v)      (Eq. 7, 8), to first order at θ* + v̂ with
 *                  v̂ = ρ sign(g) |g|^{q−1} / (‖g‖_q^q)^{1/p},  g = ∇_θ Q(θ*),  1/p + 1/q = 1      (Eq. 11, 12)
 *     gaussian     the mean of Q(θ* + σ n) over a few n ~ N(0, I); what the code released with the paper does under
 *                  the name `sharpness` (σ = 0.05, 20 samples)
 *
 * A wrapper that every attack with an objective accepts: it puts TC_SHARPNESS_OPTIONS into its table and asks
 * tc_sharpness_gradient for ∇Q instead of the objective. */
#ifndef TC_ATTACK_PARTS_SHARPNESS_H
#define TC_ATTACK_PARTS_SHARPNESS_H

#include "attack/parts/objective.h"

typedef enum tc_sharpness_kind { TC_SHARPNESS_NONE, TC_SHARPNESS_WORST_CASE, TC_SHARPNESS_GAUSSIAN } tc_sharpness_kind;

typedef struct tc_sharpness_options {
    int kind; /* tc_sharpness_kind */
    double rho;
    char p[TC_TEXT_SIZE]; /* a number from 1, or "inf" */
    double sigma;
    int64_t samples;
} tc_sharpness_options;

extern const char *const tc_sharpness_names[];

/* The rows of an attack's table; `member` is the tc_sharpness_options in its struct `type`. */
#define TC_SHARPNESS_OPTIONS(type, member)                                                                             \
    {"sharpness",                                                                                                      \
     TC_OPTION_CHOICE,                                                                                                 \
     offsetof(type, member.kind),                                                                                      \
     0,                                                                                                                \
     0,                                                                                                                \
     false,                                                                                                            \
     tc_sharpness_names,                                                                                               \
     "none",                                                                                                           \
     "",                                                                                                               \
     "which neighbourhood of the surrogate's weights the poison is made against (SAPA: worst-case)"},                  \
        {"rho",                                                                                                        \
         TC_OPTION_REAL,                                                                                               \
         offsetof(type, member.rho),                                                                                   \
         0,                                                                                                            \
         1e6,                                                                                                          \
         true,                                                                                                         \
         NULL,                                                                                                         \
         "0.05",                                                                                                       \
         "",                                                                                                           \
         "worst-case: radius of the neighbourhood (SAPA: 0.05)"},                                                      \
        {"p",                                                                                                          \
         TC_OPTION_TEXT,                                                                                               \
         offsetof(type, member.p),                                                                                     \
         0,                                                                                                            \
         0,                                                                                                            \
         false,                                                                                                        \
         NULL,                                                                                                         \
         "2",                                                                                                          \
         "",                                                                                                           \
         "worst-case: norm of the neighbourhood, a number from 1 or inf (SAPA: 2)"},                                   \
        {"sigma",                                                                                                      \
         TC_OPTION_REAL,                                                                                               \
         offsetof(type, member.sigma),                                                                                 \
         0,                                                                                                            \
         1e6,                                                                                                          \
         true,                                                                                                         \
         NULL,                                                                                                         \
         "0.05",                                                                                                       \
         "",                                                                                                           \
         "gaussian: standard deviation of the perturbation of each weight (SAPA's released code: 0.05)"},              \
    {                                                                                                                  \
        "samples", TC_OPTION_INT, offsetof(type, member.samples), 1, 1e6, false, NULL, "20", "",                       \
            "gaussian: perturbations averaged over (SAPA's released code: 20)"                                         \
    }

typedef struct tc_sharpness {
    tc_device *device;
    const tc_sharpness_options *options;
    size_t parameters;
    double p;         /* INFINITY for "inf" */
    tc_stream stream; /* of the Gaussian perturbations */
    uint64_t drawn;   /* how many of them tc_sharpness_point has made */
    void *moved;      /* device reals [p]: θ* + v; NULL for kind none */
    void *part;       /* device reals [p]: gaussian only */
    double *host;     /* [p]: p = 1 only */
} tc_sharpness;

/* How many gradients of the objective tc_sharpness_gradient takes. */
double tc_sharpness_gradients(const tc_sharpness_options *options);

/* Refuses a p that is no norm: the part of an attack's `check` (attack.h) that is this wrapper's. */
tc_status tc_sharpness_check(const tc_sharpness_options *options, tc_error *error);
tc_status tc_sharpness_create(tc_device *device, const tc_sharpness_options *options, size_t parameters,
                              tc_stream stream, tc_sharpness *sharpness, tc_error *error);
void tc_sharpness_free(tc_sharpness *sharpness);

/* Returns Q^S(θ); g := ∇Q^S. One gradient of the objective for none, two for worst-case, `samples` for gaussian. */
double tc_sharpness_gradient(tc_sharpness *sharpness, tc_objective *objective, const void *theta, void *g);

/* The same in two halves, for attacks that move the poison many times before they look at the neighbourhood again
 * (SAPA, Algorithms 1 and 4). tc_sharpness_aim finds v̂ at θ, one gradient for worst-case and none for the others; g is
 * scratch [p]. From then on the next of tc_sharpness_points points is θ itself, θ + v̂, or a fresh θ + σ n. */
void tc_sharpness_aim(tc_sharpness *sharpness, tc_objective *objective, const void *theta, void *g);
int tc_sharpness_points(const tc_sharpness *sharpness);
const void *tc_sharpness_point(tc_sharpness *sharpness, const void *theta);

/* v := v̂ for the gradient g: the maximiser of ⟨g, v⟩ over ‖v‖_p ≤ ρ. Zero where g is. */
void tc_sharpness_worst(const tc_sharpness *sharpness, const void *g, void *v);

#endif
